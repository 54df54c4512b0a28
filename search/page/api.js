// Requests to the server's API.

function errorText(status, detail) {
  if (typeof detail === "string" && detail) return detail;
  if (!Array.isArray(detail)) return `The server answered with status ${status}.`;
  // FastAPI's validation errors; the first part of loc is where the parameter was, such as "query".
  return detail
    .map(({ loc, msg }) => [loc?.slice(1).join("."), msg].filter(Boolean).join(": "))
    .join("; ");
}

// Returns the JSON of api/NAME; throws an Error with a message for the reader and, if the server
// answered, the status and what an ambiguous name may mean.
export async function request(name, params, signal) {
  let answer;
  try {
    answer = await fetch(`api/${name}?${params}`, { signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Error("The server can't be reached.");
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) {
    const { status } = answer;
    const { candidates } = body ?? {};
    throw Object.assign(new Error(errorText(status, body?.detail)), { status, candidates });
  }
  if (body === null) throw new Error("The server's answer can't be read.");
  return body;
}
