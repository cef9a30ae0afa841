/** Probes and lifecycle hooks. Upstream: pkg/apis/core/validation (validateProbe, validateHandler, validateLifecycle). */
import { type FieldPath, forbiddenField, invalidValue, isHTTPHeaderName, notSupported, required } from '#apimachinery';
import type {
  ExecAction,
  GRPCAction,
  HTTPGetAction,
  Lifecycle,
  Probe,
  SleepAction,
  TCPSocketAction,
} from '../types.ts';
import { checkNonnegative, checkPortNumOrName, checkSupported, type Errors, refuseEach } from './common.ts';

interface Handler {
  readonly exec?: ExecAction;
  readonly httpGet?: HTTPGetAction;
  readonly tcpSocket?: TCPSocketAction;
  readonly grpc?: GRPCAction;
  readonly sleep?: SleepAction;
}

function checkHTTPGet(errors: Errors, path: FieldPath, action: HTTPGetAction): void {
  if (!action.path) errors.push(required(path.child('path')));
  checkPortNumOrName(errors, path.child('port'), action.port);
  checkSupported(errors, path.child('scheme'), action.scheme, ['HTTP', 'HTTPS']);
  for (const { name = '' } of action.httpHeaders ?? []) {
    refuseEach(errors, path.child('httpHeaders'), name, isHTTPHeaderName(name));
  }
}

function checkSleep(errors: Errors, path: FieldPath, action: SleepAction, grace: number | undefined): void {
  if (grace === undefined) return;
  const seconds = action.seconds ?? 0;
  if (seconds >= 0 && seconds <= grace) return;
  const text = `must be non-negative and less than terminationGracePeriodSeconds (${grace})`;
  errors.push(invalidValue(path, seconds, text));
}

function checkHandler(errors: Errors, path: FieldPath, handler: Handler, grace: number | undefined): void {
  let count = 0;
  const one = <A>(name: string, action: A | undefined, check: (at: FieldPath, action: A) => void): void => {
    if (action === undefined) return;
    const at = path.child(name);
    if (count++ > 0) errors.push(forbiddenField(at, 'may not specify more than 1 handler type'));
    else check(at, action);
  };
  one('exec', handler.exec, (at, action) => {
    if (!action.command?.length) errors.push(required(at.child('command')));
  });
  one('httpGet', handler.httpGet, (at, action) => checkHTTPGet(errors, at, action));
  one('tcpSocket', handler.tcpSocket, (at, action) => checkPortNumOrName(errors, at.child('port'), action.port));
  one('grpc', handler.grpc, (at, action) => checkPortNumOrName(errors, at.child('port'), action.port));
  one('sleep', handler.sleep, (at, action) => checkSleep(errors, at, action, grace));
  if (count === 0) errors.push(required(path, 'must specify a handler type'));
}

function checkProbe(errors: Errors, path: FieldPath, probe: Probe, grace: number | undefined): void {
  checkHandler(errors, path, probe, grace);
  const counts = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'];
  for (const name of counts as Array<'periodSeconds'>) checkNonnegative(errors, path.child(name), probe[name]);
  const own = probe.terminationGracePeriodSeconds;
  if (own !== undefined && own <= 0) {
    errors.push(invalidValue(path.child('terminationGracePeriodSeconds'), own, 'must be greater than 0'));
  }
}

interface Probed {
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly startupProbe?: Probe;
}

/** The three probes of a container. */
export function checkProbes(errors: Errors, path: FieldPath, container: Probed, grace: number | undefined): void {
  const once = (at: FieldPath, probe: Probe | undefined): void => {
    if (!probe) return;
    checkProbe(errors, at, probe, grace);
    if (probe.successThreshold !== 1) {
      errors.push(invalidValue(at.child('successThreshold'), probe.successThreshold ?? 0, 'must be 1'));
    }
  };
  once(path.child('livenessProbe'), container.livenessProbe);
  const { readinessProbe: readiness } = container;
  if (readiness) {
    const at = path.child('readinessProbe');
    checkProbe(errors, at, readiness, grace);
    const own = readiness.terminationGracePeriodSeconds;
    if (own !== undefined) {
      errors.push(invalidValue(at.child('terminationGracePeriodSeconds'), own, 'must not be set for readinessProbes'));
    }
  }
  once(path.child('startupProbe'), container.startupProbe);
}

const linuxSignals = [
  ...['ABRT', 'ALRM', 'BUS', 'CHLD', 'CLD', 'CONT', 'FPE', 'HUP', 'ILL', 'INT', 'IO', 'IOT', 'KILL', 'PIPE', 'POLL'],
  ...['PROF', 'PWR', 'QUIT', 'RTMAX', 'RTMIN', 'SEGV', 'STKFLT', 'STOP', 'SYS', 'TERM', 'TRAP', 'TSTP', 'TTIN', 'TTOU'],
  ...['URG', 'USR1', 'USR2', 'VTALRM', 'WINCH', 'XCPU', 'XFSZ'],
  ...Array.from({ length: 14 }, (_, i) => `RTMAX-${i + 1}`),
  ...Array.from({ length: 15 }, (_, i) => `RTMIN+${i + 1}`),
]
  .map(name => `SIG${name}`)
  .sort();

/** Hooks and the stop signal; `os` is the pod's operating system, if it names one. */
export function checkLifecycle(
  errors: Errors,
  path: FieldPath,
  lifecycle: Lifecycle,
  grace: number | undefined,
  os: string | undefined,
): void {
  if (lifecycle.postStart) checkHandler(errors, path.child('postStart'), lifecycle.postStart, grace);
  if (lifecycle.preStop) checkHandler(errors, path.child('preStop'), lifecycle.preStop, grace);
  const signal = lifecycle.stopSignal;
  if (signal === undefined) return;
  const at = path.child('stopSignal');
  if (os === undefined) errors.push(forbiddenField(at, 'may not be set for containers with empty `spec.os.name`'));
  const supported = os === 'windows' ? ['SIGKILL', 'SIGTERM'] : os === 'linux' ? linuxSignals : undefined;
  if (supported && !supported.includes(signal)) errors.push(notSupported(at, signal, supported));
}
