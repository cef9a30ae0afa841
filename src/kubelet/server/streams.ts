/** exec, attach, run and port-forward over upgraded connections. Upstream: pkg/kubelet/server/server.go. */
import type { StreamSession } from '#cri';
import { type RemoteStreams, servePortForward, serveRemoteCommand, type Upgrade } from '#streaming';
import type { Container, Pod } from '../api-objects.ts';
import type { KubeletDeps } from '../config.ts';
import { findContainer } from '../pod-helpers.ts';
import { HttpError, isTrue } from './http.ts';
import type { ServerParts } from './server.ts';

export interface UpgradeRoute {
  readonly pattern: RegExp;
  /** Throws HttpError before the upgrade was answered. */
  handle(upgrade: Upgrade, url: URL, names: readonly string[]): Promise<void>;
}

export function streamRoutes(deps: KubeletDeps, { agent }: ServerParts): UpgradeRoute[] {
  const { runtime } = deps.engine;
  const podOf = (namespace = '', name = '', uid = ''): Pod => {
    const pod = agent.findPod(namespace, name, uid || undefined);
    if (!pod) throw new HttpError(404, `pod does not exist`);
    return pod;
  };
  const running = async (pod: Pod, name: string): Promise<{ id: string; spec: Container }> => {
    const spec = findContainer(pod.spec, name);
    const { containers } = await agent.runtimeStatus(pod.metadata.uid ?? '');
    const found = containers.find(each => each.name === name);
    if (!spec || !found) throw new HttpError(404, `container not found ("${name}")`);
    return { id: found.id, spec };
  };
  const exec = async (upgrade: Upgrade, url: URL, [namespace, name, uid, container = '']: readonly string[]) => {
    const { id } = await running(podOf(namespace, name, uid), container);
    const streams = streamsOf(url.searchParams);
    const command = url.searchParams.getAll('command');
    await serveRemoteCommand(upgrade, streams, () => runtime.openExec({ containerId: id, command, ...streams }), deps);
  };
  const attach = async (upgrade: Upgrade, url: URL, [namespace, name, uid, container = '']: readonly string[]) => {
    const { id, spec } = await running(podOf(namespace, name, uid), container);
    const streams = { ...streamsOf(url.searchParams), tty: spec.tty ?? false };
    const open = async (): Promise<StreamSession> => {
      const session = await runtime.openAttach({ containerId: id, ...streams });
      return { ...session, exit: session.exit.then(() => 0) }; // how the container ended is its status, no error of attach
    };
    await serveRemoteCommand(upgrade, streams, open, deps);
  };
  const forward = async (upgrade: Upgrade, _url: URL, [namespace, name, uid]: readonly string[]) => {
    const pod = podOf(namespace, name, uid);
    const { sandboxes } = await agent.runtimeStatus(pod.metadata.uid ?? '');
    const sandbox = sandboxes.find(({ state }) => state === 'READY');
    if (!sandbox) throw new HttpError(404, `pod not found ("${name}_${namespace}")`);
    await servePortForward(upgrade, {
      pod: sandbox.id,
      uid: uid ?? '',
      open: port => runtime.openPortForward(sandbox.id, port),
    });
  };
  return [
    { pattern: /^\/exec\/([^/]+)\/([^/]+)()\/([^/]+)$/, handle: exec },
    { pattern: /^\/exec\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)$/, handle: exec },
    { pattern: /^\/attach\/([^/]+)\/([^/]+)()\/([^/]+)$/, handle: attach },
    { pattern: /^\/attach\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)$/, handle: attach },
    { pattern: /^\/portForward\/([^/]+)\/([^/]+)$/, handle: forward },
    { pattern: /^\/portForward\/([^/]+)\/([^/]+)\/([^/]+)$/, handle: forward },
  ];
}

/** Both spellings of the parameters: the API's and the kubelet's own. */
function streamsOf(query: URLSearchParams): RemoteStreams {
  const either = (api: string, own: string): boolean => isTrue(query.get(api)) || isTrue(query.get(own));
  const tty = either('tty', 'tty');
  const streams = {
    stdin: either('stdin', 'input'),
    stdout: either('stdout', 'output'),
    stderr: either('stderr', 'error') && !tty,
    tty,
  };
  if (!streams.stdin && !streams.stdout && !streams.stderr) {
    throw new HttpError(400, 'you must specify at least 1 of stdin, stdout, stderr');
  }
  return streams;
}
