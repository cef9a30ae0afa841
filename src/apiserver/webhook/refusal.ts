/** What is said of webhooks that refuse. Upstream: apimachinery pkg/api/errors NewGenericServerResponse, client-go rest. */
const messages: Readonly<Record<number, string>> = {
  400: 'the server rejected our request for an unknown reason',
  401: 'the server has asked for the client to provide credentials',
  404: 'the server could not find the requested resource',
  405: 'the server does not allow this method on the requested resource',
  406: 'the server was unable to respond with a content type that the client supports',
  409: 'the server reported a conflict',
  422: 'the server rejected our request due to an error in our request',
  429: 'the server has received too many requests and has asked us to try again later',
  503: 'the server is currently unable to handle the request',
  504: 'the server was unable to return a response in the time allotted, but may still be processing the request',
};

/** The text for a status code with which a server answered; `said` is what stood in the body. */
export function refusal(status: number, said: string): string {
  if (status === 403 || status === 415 || (status === 406 && said !== 'unknown')) return said;
  const known = messages[status];
  if (known !== undefined) return known;
  if (status >= 500)
    return `an error on the server (${JSON.stringify(said)}) has prevented the request from succeeding`;
  return `the server responded with the status code ${status} but did not return more information`;
}

/** What a webhook says that answers with a Status of its own. */
export function statusMessage(body: Buffer): string | undefined {
  try {
    const { kind, message } = JSON.parse(body.toString()) as { kind?: string; message?: string };
    return kind === 'Status' && message ? message : undefined;
  } catch {
    return undefined;
  }
}
