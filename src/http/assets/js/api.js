// Asking the service. An answer that does not come, or says no, is an `ApiError` that tells the
// reader what happened and what to do.

const TIMEOUT_MS = 15_000;

/** What went wrong, in words for the page. */
export class ApiError extends Error {
  constructor(status, title, message, hint, location) {
    super(message);
    this.location = location;
    this.status = status;
    this.title = title;
    this.hint = hint;
  }
}

/** The answer to `GET /api/v1` + path, with the parameters that have a value. */
export async function get(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return ask(`/api/v1${path}${text ? `?${text}` : ""}`, {});
}

/** Signs in with a token; a cookie that scripts cannot read keeps it. */
export async function signIn(token) {
  return ask("/api/v1/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw new ApiError(0, "The service does not answer",
      "No connection to odrwatch, or no answer within 15 seconds.",
      "Is the process running? The page tries again by itself.");
  }
  if (response.status === 204) return null;
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  const error = body?.error ?? {};
  throw new ApiError(response.status, titles[response.status] ?? "The service refused",
    error.message ?? `The answer was ${response.status}.`, error.hint, error.location);
}

const titles = {
  401: "Please sign in",
  404: "Not here",
  421: "Held by another member",
  429: "Too many requests",
  503: "Not ready yet",
};
