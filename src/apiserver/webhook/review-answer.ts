/** The status of a review that a webhook gave back. Upstream: decoding of the answer, client-go rest/request.go. */
import { WebhookCallError } from './kubeconfig-client.ts';

export type AnsweredStatus = Readonly<Record<string, unknown>>;

/** Throws a WebhookCallError for an answer that is no such review: nothing of it is guessed at. */
export function answeredStatus(answer: unknown, wantedVersion: string, wantedKind: string): AnsweredStatus {
  const { apiVersion, kind, status, message } = (answer ?? {}) as AnsweredStatus;
  if (kind === 'Status' && apiVersion === 'v1') throw new WebhookCallError(String(message ?? ''));
  if (kind === wantedKind && apiVersion === wantedVersion) return (status ?? {}) as AnsweredStatus;
  const got = `${String(apiVersion ?? '')}, Kind=${String(kind ?? '')}`;
  throw new WebhookCallError(`the answer is of ${got}, not of ${wantedVersion}, Kind=${wantedKind}`);
}
