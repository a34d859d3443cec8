// Requests to the service: to the page's own origin only. The token is gone with the tab.

import { fixed, t } from "./i18n.js";

// In sessionStorage, which only scripts of this origin read and which no request carries. A cookie
// would go with every request, those of other sites and to other ports of this machine included.
// A browser may write it to its disk to restore tabs: so only the token of a ticket, which ends
// with the service, is kept there, and none that was pasted.
const TOKEN_KEY = "mien-token";
let currentToken = readToken();
const MB = 1024 * 1024;
export const BODY_LIMIT = 32 * MB; // of the service, for one request

// message: in English, or of the page and translated. data: of the response. waitS: seconds after
// which to try again, where the service says so
export class RequestError extends Error {
  constructor(status, data, waitS = 0) {
    super(data.error || data.reason || t("The service responded with status {status}", { status }));
    Object.assign(this, { status, data, waitS });
  }
}

export async function request(method, path, form) {
  const token = getToken();
  const size = form ? sizeOf(form) : 0;
  if (size > BODY_LIMIT - MB / 8) throw tooLarge(size);
  let response;
  try {
    response = await fetch(path, {
      method,
      body: form,
      headers: { Authorization: `Bearer ${token}` },
      credentials: "omit",
    });
  } catch {
    const error = t("The service does not respond; check that mien serve is still running");
    throw new RequestError(0, { error });
  }
  let data = {};
  try {
    data = await response.json();
  } catch {
    // a response without JSON still has its status
  }
  if (response.status === 401 && token === getToken()) {
    setToken("");
    dispatchEvent(new Event("mien-token-rejected"));
  }
  if (response.status === 413) throw tooLarge(size);
  const waitS = Number(response.headers.get("Retry-After")) || 0;
  if (!response.ok) throw new RequestError(response.status, data, waitS);
  return data;
}

function sizeOf(form) {
  let bytes = 0;
  for (const value of form.values()) bytes += value.size ?? value.length;
  return bytes;
}

function tooLarge(bytes) {
  const sizes = { size: fixed(bytes / MB, 1), limit: BODY_LIMIT / MB };
  const error = t(
    "The photos have {size} MB, and at most {limit} MB can be sent at once;"
    + " choose fewer or smaller photos", sizes,
  );
  return new RequestError(413, { error });
}

// fields: triples of a name, a string, File or Blob, and the name of the file if not its own
export function createForm(fields) {
  const form = new FormData();
  for (const [name, value, fileName] of fields) {
    if (value instanceof File) form.append(name, value, fileName ?? value.name);
    else if (value instanceof Blob) form.append(name, value, fileName ?? "frame.jpg");
    else form.append(name, value);
  }
  return form;
}

export const personPath = (user) => `/v1/people/${encodeURIComponent(user)}`;
export const getToken = () => currentToken;
// endsWithService: for a token that survives a reload
export function setToken(token, { endsWithService = false } = {}) {
  currentToken = token;
  try {
    if (token && endsWithService) sessionStorage.setItem(TOKEN_KEY, token);
    else sessionStorage.removeItem(TOKEN_KEY);
  } catch {
    // a browser without storage forgets it with the page
  }
}

function readToken() {
  try {
    return sessionStorage.getItem(TOKEN_KEY) ?? "";
  } catch {
    return "";
  }
}

// The token for the ticket of the printed address; "" if it was used before.
export async function redeemTicket(ticket) {
  try {
    const response = await fetch("/v1/session", {
      method: "POST",
      headers: { Authorization: `Ticket ${ticket}` },
      credentials: "omit",
    });
    return response.ok ? (await response.json()).token : "";
  } catch {
    return "";
  }
}
