/**
 * Markdown, drawn from the tokens of a parser: nothing that a requester wrote ever becomes markup of its own, and HTML in
 * it is shown as the text that it is.
 */

import {Marked} from "marked";

import {el} from "../../../pages/dom.js";

// What the site's policy lets be loaded; others would be holes in the page.
const SHOWN = /^(https:\/\/|data:image\/(png|gif|jpeg|webp);base64,)/i;
const parser = new Marked({gfm: true, breaks: false});

export function mount(host, {value}) {
  host.append(el("div", {class: "prose", dir: "auto"}, ...blocks(parser.lexer(value))));
  return {destroy: () => host.replaceChildren()};
}

function blocks(tokens) {
  return tokens.flatMap((token) => block(token));
}

function block(token) {
  switch (token.type) {
    case "space":
    case "def":
      return [];
    case "heading":
      // Below the headings of the page itself.
      return [el(`h${Math.min(6, token.depth + 2)}`, {}, ...inlines(token.tokens))];
    case "paragraph":
      return [el("p", {}, ...inlines(token.tokens))];
    case "text":
      return token.tokens ? inlines(token.tokens) : [plain(token)];
    case "code":
      return [el("pre", {tabindex: "0"}, el("code", {}, token.text))];
    case "blockquote":
      return [el("blockquote", {}, ...blocks(token.tokens))];
    case "hr":
      return [el("hr", {})];
    case "list":
      return [el(token.ordered ? "ol" : "ul", token.ordered && token.start > 1 ? {start: String(token.start)} : {}, ...token.items.map(item))];
    case "table":
      return [table(token)];
    default:
      return [el("p", {}, token.raw)];
  }
}

function item(token) {
  const mark = token.task ? [token.checked ? "☑ " : "☐ "] : [];
  return el("li", {}, ...mark, ...blocks(token.tokens.filter(({type}) => type !== "checkbox")));
}

function table({header, rows}) {
  const cell = (tag, {tokens, align}) => el(tag, align ? {class: `align-${align}`} : {}, ...inlines(tokens));
  return el(
    "div",
    {class: "table-scroll", tabindex: "0"},
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, ...header.map((one) => cell("th", one)))),
      el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((one) => cell("td", one))))),
    ),
  );
}

function inlines(tokens) {
  return tokens.map(inline);
}

function inline(token) {
  switch (token.type) {
    case "strong":
      return el("strong", {}, ...inlines(token.tokens));
    case "em":
      return el("em", {}, ...inlines(token.tokens));
    case "del":
      return el("del", {}, ...inlines(token.tokens));
    case "codespan":
      return el("code", {}, token.text);
    case "br":
      return el("br", {});
    case "link":
      return outside(token.href)
        ? el("a", {href: token.href, target: "_blank", rel: "noopener noreferrer nofollow"}, ...inlines(token.tokens))
        : el("span", {}, ...inlines(token.tokens));
    case "image":
      return SHOWN.test(token.href)
        ? el("img", {src: token.href, alt: token.text, loading: "lazy", referrerpolicy: "no-referrer"})
        : plain(token);
    case "text":
      return token.tokens ? el("span", {}, ...inlines(token.tokens)) : plain(token);
    case "escape":
      return document.createTextNode(token.text);
    default:
      return document.createTextNode(token.raw);
  }
}

/** The parser keeps entities as they were written; the browser knows what they mean. */
function plain({text}) {
  return document.createTextNode(text.includes("&") ? decoded(text) : text);
}

function decoded(text) {
  const area = document.createElement("textarea");
  return text.replace(/&(?:#\d{1,7}|#x[\da-f]{1,6}|\w{1,31});/gi, (entity) => {
    area.innerHTML = entity;
    return area.value;
  });
}

function outside(address) {
  return /^https?:\/\//i.test(address ?? "");
}
