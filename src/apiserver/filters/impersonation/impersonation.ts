/**
 * Acting as somebody else by `Impersonate-*` headers. Each way in which it may be allowed is a mode, from the most to the
 * least constrained; the one that last worked for a requester is asked first. Upstream: apiserver
 * pkg/endpoints/filters/impersonation/constrained_impersonation.go (KEP-5284, on by default since v1.36).
 */
import { badRequest, internalError, isStatusError } from '#apimachinery';
import { type Clock, LruMap, type MetricsRegistry } from '#base';
import { unescapeExtraKey } from '../../authentication/request-header.ts';
import type { UserInfo } from '../../authentication/user.ts';
import type { AuthorizationAttributes, Authorizer } from '../../authorization/authorizer.ts';
import { headerValues, removeHeaders, type ServerRequest } from '../../http/message.ts';
import { ImpersonationMetrics, modeOfConstraint } from './metrics.ts';
import { allModes, type Impersonated } from './modes.ts';

const userHeader = 'impersonate-user';
const uidHeader = 'impersonate-uid';
const groupHeader = 'impersonate-group';
const extraPrefix = 'impersonate-extra-';

const isImpersonationHeader = (name: string): boolean =>
  name === userHeader || name === uidHeader || name === groupHeader || name.startsWith(extraPrefix);

/** Requesters whose mode is remembered. */
const maxRemembered = 10_000;

export class Impersonation {
  readonly #modes: ReturnType<typeof allModes>;
  readonly #metrics: ImpersonationMetrics;
  readonly #clock: Clock;
  /** Index of the mode that last worked, by the requester's name, in the order of use. */
  readonly #lastModes = new LruMap<string, number>(maxRemembered);

  constructor(authorizer: Authorizer, clock: Clock, metrics: MetricsRegistry) {
    this.#clock = clock;
    this.#metrics = new ImpersonationMetrics(metrics, clock);
    this.#modes = allModes(this.#metrics.counted(authorizer), clock);
  }

  /**
   * Whom the request is for; undefined where nobody is impersonated. The headers are taken off: nothing behind is to
   * behave otherwise for them. Throws 400 and 403.
   */
  async assume(request: ServerRequest, attributes: AuthorizationAttributes): Promise<Impersonated | undefined> {
    const wanted = wantedUser(request);
    if (!wanted) return undefined;
    removeHeaders(request, isImpersonationHeader);
    const startMs = this.#clock.monotonicMs();
    const seconds = (): number => (this.#clock.monotonicMs() - startMs) / 1000;
    try {
      const found = await this.#firstThatAllows(wanted, attributes);
      this.#metrics.attempt(modeOfConstraint(found.constraint), 'allowed', seconds());
      return found;
    } catch (error) {
      if (isStatusError(error)) this.#metrics.attempt('', 'denied', seconds());
      throw error;
    }
  }

  /** The error of the first mode that refused is what the caller gets to know. */
  async #firstThatAllows(wanted: UserInfo, attributes: AuthorizationAttributes): Promise<Impersonated> {
    const requester = attributes.user.name;
    const last = this.#lastModes.get(requester);
    const order = this.#modes.map((_, index) => index);
    if (last !== undefined) order.sort((a, b) => Number(b === last) - Number(a === last));
    let first: unknown;
    for (const index of order) {
      try {
        const found = await this.#modes[index]!.check(wanted, attributes);
        if (!found) continue;
        this.#lastModes.set(requester, index);
        return found;
      } catch (error) {
        if (!isStatusError(error)) throw error;
        first ??= error;
      }
    }
    throw first ?? internalError('all impersonation modes failed');
  }
}

/** As the headers say, with nothing filled in. Throws 400 for anything without a name. */
function wantedUser(request: ServerRequest): UserInfo | undefined {
  const [name = ''] = headerValues(request, userHeader);
  const [uid = ''] = headerValues(request, uidHeader);
  const groups = headerValues(request, groupHeader);
  const extra = new Map<string, string[]>();
  for (const header of Object.keys(request.headers)) {
    if (!header.startsWith(extraPrefix)) continue;
    const key = unescapeExtraKey(header.slice(extraPrefix.length));
    extra.set(key, [...(extra.get(key) ?? []), ...headerValues(request, header)]);
  }
  if (name !== '') return { name, uid, groups, extra: Object.fromEntries(extra) };
  if (uid === '' && groups.length === 0 && extra.size === 0) return undefined;
  throw badRequest(`requested ${goUser(uid, groups, extra)} without impersonating a user name`);
}

/** Go's `%#v` of the user that was asked for. */
function goUser(uid: string, groups: readonly string[], extra: ReadonlyMap<string, readonly string[]>): string {
  const strings = (all: readonly string[]): string => `[]string{${all.map(each => JSON.stringify(each)).join(', ')}}`;
  const members = [...extra].map(([key, values]) => `${JSON.stringify(key)}:${strings(values)}`);
  const more = members.length > 0 ? `map[string][]string{${members.join(', ')}}` : 'map[string][]string(nil)';
  const list = groups.length > 0 ? strings(groups) : '[]string(nil)';
  return `&user.DefaultInfo{Name:"", UID:${JSON.stringify(uid)}, Groups:${list}, Extra:${more}}`;
}
