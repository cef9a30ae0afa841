/** What the flags of kube-apiserver stand for, by the part of the server that it is for. */
import type { ApiServerConfig } from '#apiserver';

export interface ServerSettings {
  readonly apiServer: Partial<ApiServerConfig>;
}
