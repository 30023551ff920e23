/** Numbers and names as they are read. */

/** A name of the interface as people read it: left_eye is "left eye". */
export const plainName = (name) => name.replaceAll("_", " ");

/** Numbers as they are announced: to a tenth of a pixel, without ".0". */
export const said = (number) => String(Math.round(number * 10) / 10);

/** A point as it is announced. */
export const saidPoint = ([x, y]) => `${said(x)}, ${said(y)}`;
