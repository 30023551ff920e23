// Before anything of the page: what hostile texts call, and who reads cookies that is no module of ours.
(() => {
  const hits = [];
  const reads = [];
  const hit = () => {
    hits.push(new Error("hit").stack);
    console.error("HIT");
  };
  for (const name of ["hit", "alert", "confirm", "prompt", "print"]) window[name] = hit;
  const opened = window.open;
  window.open = (...given) => {
    hits.push(`open ${given.join(" ")}`);
    return opened.apply(window, given);
  };
  const cookie = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
  Object.defineProperty(Document.prototype, "cookie", {
    configurable: true,
    get() {
      const {stack} = new Error("cookie");
      if (!stack.includes("/static/")) reads.push(stack);
      return cookie.get.call(this);
    },
    set(text) {
      cookie.set.call(this, text);
    },
  });
  window.watched = {hits, reads};
})();
