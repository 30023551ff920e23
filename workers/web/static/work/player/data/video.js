/** A film to watch, where no tool on the page plays it. */
import {showMedia} from "../sound/show.js";

export const mount = (host, options) => showMedia(host, {...options, kind: "video"});
