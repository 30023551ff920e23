const loaded = new Map();

/** Bring a style sheet onto the page, once; the promise ends when it is there or cannot be had. */
export function useSheet(address) {
  if (!loaded.has(address)) {
    loaded.set(address, new Promise((done) => {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.href = address;
      link.addEventListener("load", done);
      link.addEventListener("error", done);
      document.head.append(link);
    }));
  }
  return loaded.get(address);
}
