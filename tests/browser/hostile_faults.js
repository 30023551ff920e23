// What is drawn that must not be, also within shadow roots; then all of it is touched as by a hand that hangs over it.
() => {
  const never = new Set(["IFRAME", "OBJECT", "EMBED", "APPLET", "BASE", "FRAME", "PORTAL", "FENCEDFRAME"]);
  const leads = new Set(["http:", "https:", "mailto:", "blob:"]);
  const addresses = new Set(["href", "xlink:href", "action", "formaction", "src", "data", "poster"]);
  const words = new Set(["importmap", "application/json"]);
  const found = [];
  const say = (element, why) => found.push(`${why}: ${element.outerHTML.slice(0, 160)}`);
  const all = (root) =>
    [...root.querySelectorAll("*")].flatMap((one) => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])]);
  const elsewhere = (address) => {
    try {
      return new URL(address, location).origin !== location.origin;
    } catch {
      return true;
    }
  };

  function lookAt(element) {
    const name = element.nodeName.toUpperCase();
    if (never.has(name)) say(element, "never here");
    if (name === "META" && element.httpEquiv) say(element, "speaks for the server");
    if (name === "SCRIPT" && (element.src ? elsewhere(element.src) : !words.has(element.type))) say(element, "a script");
    if (name === "LINK" && elsewhere(element.href)) say(element, "loads");
    if (name === "FORM" && elsewhere(element.getAttribute("action") ?? "")) say(element, "sends away");
    if (name === "STYLE" && /evil|expression|@import/.test(element.textContent)) say(element, "a style");
    for (const {name: attribute, value} of element.attributes) lookAtOne(element, name, attribute.toLowerCase(), value);
  }

  function lookAtOne(element, name, attribute, value) {
    if (attribute.startsWith("on")) say(element, "a handler");
    if (attribute.includes("hx-on")) say(element, "a handler");
    if (attribute.endsWith("hx-get") && /^(https?:)?\/\//.test(value)) say(element, "asks by itself");
    if (attribute === "srcdoc") say(element, "a page within");
    if (attribute === "style" && /evil|expression|url\(|javascript/i.test(value)) say(element, "is styled");
    if (!addresses.has(attribute) || !value.trim()) return;
    let to;
    try {
      to = new URL(value, location);
    } catch {
      return;
    }
    const shown = name === "IMG" || name === "AUDIO" || name === "VIDEO" || name === "IMAGE";
    if (leads.has(to.protocol) || (shown && /^data:(audio|image)\//i.test(value))) return;
    say(element, `leads to ${to.protocol}`);
  }

  for (const element of all(document)) lookAt(element);
  for (const element of all(document.body)) {
    for (const kind of ["mouseover", "mouseenter", "pointerover", "animationstart", "beforetoggle", "transitionend"]) {
      element.dispatchEvent(new Event(kind));
    }
  }
  return {found, ...window.watched};
}
