/** A node of a tree of labels: opened level by level, or found by typing a part of its name. */

import {el, icon} from "../../../pages/dom.js";
import {gettext, interpolate, ngettext} from "../../../pages/i18n.js";

const FOUND_MAX = 50;
const SEPARATOR = " › ";
let trees = 0;

/** See tools/index.js. Values are paths of label values from the top of the tree: `["animal", "dog"]`. */
export function mount(host, {field, value, readonly, changed, key}) {
  const id = `tree-${(trees += 1)}`;
  const nodes = [...walk(field.tree, null)];
  let chosen;
  let locked = readonly;
  let active = nodes[0];

  const status = el("p", {class: "taxonomy-chosen", role: "status"});
  const clear = el("button", {type: "button", class: "button quiet small"}, gettext("Clear"));
  const search = el("input", {
    type: "search", class: "taxonomy-search", autocomplete: "off", placeholder: gettext("Find by name"),
    "aria-label": gettext("Find by name"), "aria-controls": `${id}-found`,
  });
  const slash = key("/");
  const found = el("ul", {class: "taxonomy-found", id: `${id}-found`});
  const counted = el("p", {class: "visually-hidden", role: "status"});
  const tree = el("ul", {class: "taxonomy", role: "tree", "aria-label": field.title});
  found.hidden = true;
  // Both are for choosing.
  search.hidden = readonly;
  host.append(el("div", {class: "taxonomy-top"}, status, clear), search, counted, found, tree);
  branch(tree, nodes.filter(({parent}) => !parent));
  for (const node of nodes) {
    node.hotkey = node.label.hotkey ? key(node.label.hotkey) : null;
    if (node.hotkey) node.keyHint?.append(el("kbd", {"aria-hidden": "true"}, node.hotkey.toUpperCase()));
  }
  setActive(active);

  function* walk(labels, parent) {
    for (const label of labels) {
      const path = [...(parent?.path ?? []), label.value];
      const titles = [...(parent?.titles ?? []), label.title];
      const node = {label, parent, path, titles, children: [], open: false, element: null, level: path.length};
      parent?.children.push(node);
      yield node;
      yield* walk(label.children ?? [], node);
    }
  }

  function branch(list, of) {
    for (const node of of) {
      node.row = el("span", {class: "taxonomy-row"}, el("span", {class: "twist"}, node.children.length ? icon("chevron-right") : null), el("span", {class: "taxonomy-title"}, node.label.title));
      node.element = el("li", {role: "treeitem", "aria-level": String(node.level), tabindex: "-1", id: `${id}-${nodes.indexOf(node)}`}, node.row);
      if (node.hotkey) node.row.append(el("kbd", {"aria-hidden": "true"}, node.hotkey.toUpperCase()));
      node.keyHint = node.row;
      if (node.children.length) node.element.setAttribute("aria-expanded", "false");
      node.element.setAttribute("aria-selected", "false");
      node.row.addEventListener("click", () => {
        setActive(node);
        node.element.focus();
        act(node);
      });
      list.append(node.element);
    }
  }

  /** Choose a node that can be chosen, otherwise open or close it. */
  function act(node) {
    if (node.children.length && (locked || field.leaf_only || same(node.path, chosen))) toggle(node, !node.open);
    else choose(node);
  }

  function toggle(node, open) {
    if (!node.children.length || node.open === open) return;
    node.open = open;
    node.element.setAttribute("aria-expanded", String(open));
    if (open && !node.list) {
      node.list = el("ul", {role: "group"});
      branch(node.list, node.children);
      node.element.append(node.list);
      mark();
    }
    node.list.hidden = !open;
  }

  function choose(node) {
    if (locked) return;
    if (node.children.length && !field.leaf_only) toggle(node, true);
    show(node.path);
    changed([...node.path]);
  }

  function setActive(node) {
    active?.element?.setAttribute("tabindex", "-1");
    active = node;
    active.element?.setAttribute("tabindex", "0");
  }

  function visible() {
    return nodes.filter((node) => {
      for (let above = node.parent; above; above = above.parent) if (!above.open) return false;
      return node.element;
    });
  }

  tree.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = visible();
    const at = rows.indexOf(active);
    const moves = {
      ArrowDown: () => rows[at + 1],
      ArrowUp: () => rows[at - 1],
      Home: () => rows[0],
      End: () => rows.at(-1),
      ArrowRight: () => (active.children.length && !active.open ? (toggle(active, true), active) : active.children[0]),
      ArrowLeft: () => (active.open ? (toggle(active, false), active) : active.parent),
    };
    if (event.key in moves) {
      const next = moves[event.key]();
      if (next) {
        setActive(next);
        next.element.focus();
      }
    } else if (event.key === " " || (event.key === "Enter" && !same(active.path, chosen))) {
      act(active);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });

  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLocaleLowerCase();
    found.replaceChildren();
    found.hidden = !wanted;
    tree.hidden = Boolean(wanted);
    if (!wanted) return;
    const hits = nodes.filter((node) => (!field.leaf_only || !node.children.length) && node.label.title.toLocaleLowerCase().includes(wanted));
    for (const node of hits.slice(0, FOUND_MAX)) {
      const button = el("button", {type: "button", class: "taxonomy-hit"}, node.titles.join(SEPARATOR));
      button.addEventListener("click", () => {
        search.value = "";
        found.hidden = true;
        tree.hidden = false;
        choose(node);
        reveal(node);
        node.element.focus();
      });
      found.append(el("li", {}, button));
    }
    const words = hits.length
      ? interpolate(ngettext("%s found", "%s found", hits.length), [hits.length])
      : gettext("Nothing has this name.");
    counted.textContent = words;
    if (!hits.length) found.append(el("li", {class: "soft"}, words));
  });
  search.addEventListener("keydown", (event) => {
    const buttons = [...found.querySelectorAll("button")];
    if (event.key === "Enter" && search.value.trim()) buttons[0]?.click();
    else if (event.key === "ArrowDown") (buttons[0] ?? active.element).focus();
    else if (event.key === "Escape" && search.value) {
      search.value = "";
      search.dispatchEvent(new Event("input"));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  found.addEventListener("keydown", (event) => {
    const buttons = [...found.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (event.key === "ArrowDown") buttons[Math.min(at + 1, buttons.length - 1)]?.focus();
    else if (event.key === "ArrowUp") (at > 0 ? buttons[at - 1] : search).focus();
    else return;
    event.preventDefault();
  });
  clear.addEventListener("click", () => {
    if (locked) return;
    show(undefined);
    changed(undefined);
    search.focus();
  });

  function reveal(node) {
    const above = [];
    for (let one = node.parent; one; one = one.parent) above.unshift(one);
    for (const one of above) toggle(one, true);
    setActive(node);
  }

  function mark() {
    for (const node of nodes) {
      if (!node.element) continue;
      const own = same(node.path, chosen);
      node.element.setAttribute("aria-selected", String(own));
      node.row.classList.toggle("chosen", own);
    }
  }

  function show(next) {
    chosen = next ?? undefined;
    const node = chosen && nodes.find(({path}) => same(path, chosen));
    if (node) reveal(node);
    status.textContent = node ? node.titles.join(SEPARATOR) : gettext("Nothing chosen yet.");
    status.classList.toggle("soft", !node);
    clear.hidden = readonly || !chosen;
    mark();
  }

  show(value);
  return {
    show,
    problem: () => null,
    focus: () => active.element.focus(),
    setReadonly(now) {
      locked = now;
    },
    destroy: () => host.replaceChildren(),
    keys: [
      ...(slash ? [{key: slash, label: gettext("Find by name"), run: () => search.focus()}] : []),
      ...nodes
        .filter(({hotkey}) => hotkey)
        .map((node) => ({
          key: node.hotkey,
          label: node.titles.join(SEPARATOR),
          run() {
            reveal(node);
            act(node);
            node.element.focus();
          },
        })),
    ],
  };
}

function same(one, other) {
  return Boolean(other) && one.length === other.length && one.every((label, at) => label === other[at]);
}
