/** What the flags of kube-apiserver stand for, by the part of the server that it is for. */
import type { ApiServerConfig, TlsConfig } from '#apiserver';
import type { ServingFiles } from '../serving/serving-files.ts';

/** An etcd cluster that is the store. */
export interface EtcdSettings {
  /** `http://host:port` or `https://host:port`, one a member. */
  readonly endpoints: readonly string[];
  /** Paths of PEM files. */
  readonly files: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/** How the API shows itself. */
export interface ServingSettings {
  readonly files: ServingFiles;
  readonly minVersion?: NonNullable<TlsConfig['minVersion']>;
  /** As OpenSSL lists them. */
  readonly ciphers?: string;
}

export interface ServerSettings {
  readonly apiServer: Partial<ApiServerConfig>;
  readonly serving?: ServingSettings;
  /** `--cluster-signing-duration`. */
  readonly signingDurationMs?: number;
  /** In place of an engine of the cluster's own. */
  readonly etcd?: EtcdSettings;
}
