/**
 * The JSON API with the page's own session.
 *
 *     const {status, body} = await api("POST", "/worker/submissions", {body: {…}, key});
 *
 * A refusal is an answer: look at `status`. Only a network that does not answer throws, `Offline`.
 */
/** Where the API is. */
export const BASE = "/api/v1";
const SAFE = new Set(["GET", "HEAD"]);

/** No answer came: it is not known whether the server did it. Ask again with the same key. */
export class Offline extends Error {
  constructor(cause) {
    super("the server does not answer", {cause});
    this.name = "Offline";
  }
}

/** What the page says of itself: who is signed in, the form token, and where sockets open. */
export const page = {
  get user() { return document.documentElement.dataset.user ?? null; },
  get csrf() { return cookie("csrftoken") ?? document.documentElement.dataset.csrf ?? ""; },
  get live() { return document.documentElement.dataset.live ?? ""; },
};

/**
 * Ask the API.
 * @param {string} method
 * @param {string} path below /api/v1, as "/worker/batches"
 * @param {{body?: any, key?: string, signal?: AbortSignal, headers?: Object, keepalive?: boolean}} options  `key`: the
 *   idempotency key, a new one unless given; give the same one to ask again for the same thing
 * @returns {Promise<{status: number, body: any, headers: Headers}>} body: parsed JSON, or null without one
 */
export async function api(method, path, {body, key, signal, headers = {}, keepalive = false} = {}) {
  const writes = !SAFE.has(method);
  let answer;
  let text;
  try {
    answer = await fetch(path.startsWith(BASE) ? path : BASE + path, {
      method,
      signal,
      keepalive,
      credentials: "same-origin",
      headers: {
        Accept: "application/json",
        ...(body === undefined ? {} : {"Content-Type": "application/json"}),
        ...(writes ? {"X-CSRFToken": page.csrf, "Idempotency-Key": key ?? crypto.randomUUID()} : {}),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Offline(error);
  }
  return {status: answer.status, body: parsed(text), headers: answer.headers};
}

function parsed(text) {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return null; // a page of a proxy, say: the status is what counts
  }
}

function cookie(name) {
  for (const pair of document.cookie.split("; ")) {
    if (pair.startsWith(`${name}=`)) return decodeURIComponent(pair.slice(name.length + 1));
  }
  return null;
}
