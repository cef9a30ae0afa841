/**
 * No request but a long-running one lasts longer than `--request-timeout`, or its `timeout` parameter if that is less.
 * Upstream: apiserver pkg/endpoints/filters/request_deadline.go, pkg/server/filters/timeout.go.
 */
import { badRequest, InputError, parseGoDuration } from '#apimachinery';
import type { Clock } from '#base';
import { type ServerRequest, type ServerResponse, textResponse } from '../http/message.ts';

/** Milliseconds that the request may take; `maximumMs` is `--request-timeout`. Throws 400 for a wrong parameter. */
export function deadlineMs(request: Pick<ServerRequest, 'query'>, maximumMs: number): number {
  const text = request.query.get('timeout');
  if (!text) return maximumMs;
  try {
    const ms = Number(parseGoDuration(text)) / 1e6;
    return ms > 0 && ms < maximumMs ? ms : maximumMs;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw badRequest(`invalid timeout specified in the request URL - ${error.message}`);
  }
}

/** What upstream's outermost handler says: a Status without kind, as text. */
function timedOut(): ServerResponse {
  const status = {
    metadata: {},
    status: 'Failure',
    message: 'Timeout: request did not complete within the allotted timeout',
    reason: 'Timeout',
    details: {},
    code: 504,
  };
  const response = textResponse(504, `${JSON.stringify(status)}\n`);
  delete response.headers['x-content-type-options'];
  return { ...response, terminated: true };
}

/**
 * `work`'s answer, or 504 when it does not come in time; what it answers later is thrown away and `late` is told. The
 * work itself goes on: a write may still happen.
 */
export async function withDeadline(
  clock: Clock,
  ms: number,
  work: Promise<ServerResponse>,
  late: (response: ServerResponse) => void,
): Promise<ServerResponse> {
  const begun = clock.monotonicMs();
  let expired = false;
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(() => {
      expired = true;
      resolve(timedOut());
    }, ms);
    work.then(
      response => {
        timer.cancel();
        // A timer is never early, but may be late: an answer behind the deadline is none.
        const inTime = !expired && clock.monotonicMs() - begun <= ms;
        if (!inTime) {
          late(response);
          resolve(timedOut());
        } else resolve(response);
      },
      error => {
        timer.cancel();
        reject(error);
      },
    );
  });
}
