// Photos that were taken and not enrolled yet survive a reload of the same tab. They are kept in
// the browser's database under a random key, and the key only as long as the tab is open: what is
// left of a closed tab cannot be read, and is removed when the page is opened again.

const DATABASE = "mien";
const STORE = "drafts";
const KEY = "mien-draft"; // in sessionStorage: { id, key }
const MAX_AGE_MS = 15 * 60 * 1000;

// photos: [{ file, message, isBad, source }]
export async function saveDraft(draft) {
  if (!crypto.subtle) return; // plain HTTP: the photos live as long as the page
  if (!draft.photos.length) {
    await dropDraft();
    return;
  }
  const { id, key } = await ownKey();
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const photos = await Promise.all(draft.photos.map(async ({ file, ...rest }) => (
    { ...rest, name: file.name, type: file.type, bytes: toText(await file.arrayBuffer()) }
  )));
  const plain = new TextEncoder().encode(JSON.stringify({ ...draft, photos }));
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plain);
  await inStore("readwrite", (store) => store.put({ id, iv, sealed, at: Date.now() }));
}

// the photos of this tab before its reload, or null
export async function readDraft() {
  const known = sessionStorage.getItem(KEY);
  if (!crypto.subtle || !known) return null;
  try {
    const { id, key } = await importKey(JSON.parse(known));
    const found = await inStore("readonly", (store) => store.get(id));
    if (!found || Date.now() - found.at > MAX_AGE_MS) throw new Error("too old");
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: found.iv }, key, found.sealed);
    const draft = JSON.parse(new TextDecoder().decode(plain));
    const photos = draft.photos.map(({ bytes, name, type, ...rest }) => (
      { ...rest, file: new File([fromText(bytes)], name ?? "photo.jpg", { type }) }
    ));
    return { ...draft, photos };
  } catch {
    await dropDraft();
    return null;
  }
}

export async function dropDraft() {
  const known = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  if (known) await inStore("readwrite", (store) => store.delete(JSON.parse(known).id));
}

// those of tabs that were closed
export async function dropOldDrafts() {
  const databases = await indexedDB.databases?.() ?? [];
  if (!databases.some(({ name }) => name === DATABASE)) return;
  const all = await inStore("readonly", (store) => store.getAll());
  for (const { id, at } of all) {
    if (Date.now() - at > MAX_AGE_MS) await inStore("readwrite", (store) => store.delete(id));
  }
}

async function ownKey() {
  const known = sessionStorage.getItem(KEY);
  if (known) return importKey(JSON.parse(known));
  const made = { id: crypto.randomUUID(), key: toText(crypto.getRandomValues(new Uint8Array(32))) };
  sessionStorage.setItem(KEY, JSON.stringify(made));
  return importKey(made);
}

async function importKey({ id, key }) {
  const uses = ["encrypt", "decrypt"];
  return { id, key: await crypto.subtle.importKey("raw", fromText(key), "AES-GCM", false, uses) };
}

function toText(buffer) {
  let text = "";
  for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte);
  return btoa(text);
}

const fromText = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

// run: makes one request on the store; its result is given when the transaction is over
async function inStore(mode, run) {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "id" });
  const database = await settled(opening);
  try {
    return await settled(run(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

const settled = (asked) => new Promise((resolve, reject) => {
  asked.onsuccess = () => resolve(asked.result);
  asked.onerror = () => reject(asked.error);
});
