/**
 * What the browser keeps for a worker: the places that he holds, what he typed, and answers on their way. All of it
 * lives in IndexedDB, so that it outlasts the page, and is shared by all tabs; a transaction of it is what keeps two tabs
 * from taking the same place.
 */

const NAME = "touchstone-work";
const VERSION = 1;
const FORGET_MS = 3 * 24 * 3_600_000;

let opening = null;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      const made = request.result;
      // A place is known by the token of its lease: when it comes back for repair, it is another one.
      made.createObjectStore("leases", {keyPath: "token"}).createIndex("of", ["user", "batch"]);
      made.createObjectStore("drafts", {keyPath: ["user", "assignment"]});
      made.createObjectStore("queue", {keyPath: "n", autoIncrement: true}).createIndex("of", "user");
    };
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  });
  opening.catch(() => (opening = null));
  return opening;
}

/** The answer to one request within a transaction. */
export function got(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * Run `work(stores)` in one transaction, which is done as a whole or not at all. It may wait for requests of the same
 * transaction only.
 * @param {string[]} names
 * @param {function(Object<string, IDBObjectStore>): Promise<any>} work
 * @returns {Promise<any>} what `work` said, once all of it is written
 */
export async function change(names, work) {
  const transaction = (await database()).transaction(names, "readwrite");
  const done = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error ?? new Error("the browser kept nothing"));
  });
  try {
    const said = await work(Object.fromEntries(names.map((name) => [name, transaction.objectStore(name)])));
    await done;
    return said;
  } catch (error) {
    done.catch(() => {});
    try {
      transaction.abort();
    } catch {
      // it has ended already
    }
    throw error;
  }
}

/** Leases of a user in a batch. */
export async function leasesOf(stores, user, batch) {
  return got(stores.leases.index("of").getAll([user, batch]));
}

/** Answers and returns of a user that the server has not confirmed, in the order in which they were given. */
export function queueOf(user) {
  return change(["queue"], ({queue}) => got(queue.index("of").getAll(user)));
}

/** Forget places that ended days ago, and drafts of which nobody asked since then. */
export function forgetOld(now = Date.now()) {
  return change(["leases", "drafts"], async ({leases, drafts}) => {
    for (const lease of await got(leases.getAll())) {
      if (lease.state !== "held" && lease.at < now - FORGET_MS) leases.delete(lease.token);
    }
    for (const draft of await got(drafts.getAll())) {
      if (draft.at < now - 10 * FORGET_MS) drafts.delete([draft.user, draft.assignment]);
    }
  });
}

/** At sign-out: what a user typed leaves this browser, but for answers that have not reached the server yet. */
export function forgetUser(user) {
  return change(["leases", "drafts", "queue"], async ({leases, drafts, queue}) => {
    const waiting = await got(queue.index("of").getAll(user));
    const kept = new Set(waiting.flatMap(({assignments}) => assignments));
    for (const draft of await got(drafts.getAll())) {
      if (draft.user === user && !kept.has(draft.assignment)) drafts.delete([draft.user, draft.assignment]);
    }
    for (const lease of await got(leases.getAll())) if (lease.user === user && !kept.has(lease.id)) leases.delete(lease.token);
  });
}
