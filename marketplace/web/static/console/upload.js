/** A file on its way to the API, with its progress; and an import that goes on when the file has arrived. */
import {BASE, Offline, api, page} from "../pages/api.js";

const LOOK_MS = 1_000;

/**
 * Send a body to the API.
 * @param {string} path below /api/v1
 * @param {Blob} body
 * @param {{type: string, key: string, progress: function(number): void, signal: AbortSignal}} options  `progress` is
 *   told the share that has been sent
 * @returns {Promise<{status: number, body: any}>} throws `Offline`, or an `AbortError`
 */
export function send(path, body, {type, key, progress, signal}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", BASE + path);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", type);
    request.setRequestHeader("X-CSRFToken", page.csrf);
    request.setRequestHeader("Idempotency-Key", key);
    request.upload.addEventListener("progress", ({loaded, total}) => progress(total ? loaded / total : 0));
    request.addEventListener("load", () => resolve({status: request.status, body: read(request.responseText)}));
    request.addEventListener("error", () => reject(new Offline(new Error("the upload broke off"))));
    request.addEventListener("abort", () => reject(new DOMException("called off", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    if (signal.aborted) request.abort();
    else request.send(body);
  });
}

/**
 * Look at an import until it is over.
 * @param {string} path of the import, below /api/v1
 * @param {function(any): void} told after each look, with the import
 * @returns {Promise<any>} the import at its end
 */
export async function follow(path, told) {
  for (;;) {
    try {
      const {status, body} = await api("GET", path);
      if (status !== 200) return {state: "lost", row_errors: []};
      told(body);
      if (body.finished_at !== null) return body;
    } catch (error) {
      if (!(error instanceof Offline)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
