/** What the flags of kube-apiserver stand for, by the part of the server that it is for. */
import type { ApiServerConfig, PortOptions, TlsConfig } from '#apiserver';
import type { MetricRestrictions } from '#base';
import type { PairFiles, ServingFiles } from '../serving/serving-files.ts';

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
  /** As OpenSSL lists them. */
  readonly curves?: string;
}

/** Where the API listens. */
export interface ListeningSettings {
  /** `--bind-address`. */
  readonly address?: string;
  /** `--secure-port`. */
  readonly port?: number;
  /** `--advertise-address`, unless it is every address. */
  readonly advertiseAddress?: string;
  /** `--cert-dir`. */
  readonly certDir?: string;
  readonly listener: Pick<PortOptions, 'maxConcurrentStreams' | 'http1Only' | 'reusePort'>;
}

/** How kubelets are reached. Paths of PEM files. */
export interface KubeletSettings {
  readonly caFile?: string;
  readonly pair?: PairFiles;
}

export interface ServerSettings {
  readonly logging?: { readonly format?: 'json' | 'text'; readonly isDebug?: boolean };
  readonly metrics?: MetricRestrictions;
  /** `--legacy-service-account-token-clean-up-period`. */
  readonly legacyTokenPeriodMs?: number;
  /** `--debug-socket-path`. */
  readonly debugSocketPath?: string;
  /** What is to be known of flags that were given: sentences for the log. */
  readonly remarks?: readonly string[];
  readonly apiServer: Partial<ApiServerConfig>;
  readonly serving?: ServingSettings;
  readonly listening?: ListeningSettings;
  /** In place of the cluster's own. */
  readonly kubelet?: KubeletSettings;
  /** `--cluster-signing-duration`. */
  readonly signingDurationMs?: number;
  /** In place of an engine of the cluster's own. */
  readonly etcd?: EtcdSettings;
}
