/** What the flags of kube-apiserver stand for, by the part of the server that it is for. */
import type { ApiServerConfig } from '#apiserver';

/** An etcd cluster that is the store. */
export interface EtcdSettings {
  /** `http://host:port` or `https://host:port`, one a member. */
  readonly endpoints: readonly string[];
  /** Paths of PEM files. */
  readonly files: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export interface ServerSettings {
  readonly apiServer: Partial<ApiServerConfig>;
  /** In place of an engine of the cluster's own. */
  readonly etcd?: EtcdSettings;
}
