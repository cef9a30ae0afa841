/** Flags of kube-apiserver that `kobune server` and `kobune up` take under the same names. */
import { resolve } from 'node:path';
import { type ApiServerConfig, enabledPlugins, readAdmissionControl } from '#apiserver';

/** As the command line has them. */
export interface ApiServerFlags {
  /** Names with commas between. */
  readonly enableAdmissionPlugins?: string;
  readonly disableAdmissionPlugins?: string;
  /** Path of an AdmissionConfiguration. */
  readonly admissionControlConfigFile?: string;
}

export type ApiServerSettings = Partial<ApiServerConfig>;

const names = (text: string): string[] => text.split(',').filter(name => name !== '');

/** The settings that the flags stand for. Reads files. Throws a UserError for what is wrong. */
export function apiServerSettings(flags: ApiServerFlags): ApiServerSettings {
  const { enableAdmissionPlugins: enable, disableAdmissionPlugins: disable, admissionControlConfigFile: file } = flags;
  enabledPlugins({ enable: names(enable ?? ''), disable: names(disable ?? '') });
  return {
    ...(enable !== undefined && { enableAdmissionPlugins: names(enable) }),
    ...(disable !== undefined && { disableAdmissionPlugins: names(disable) }),
    ...(file !== undefined && { admissionControl: readAdmissionControl(resolve(file)) }),
  };
}

/** The same flags for another process, which may stand in another directory. */
export function apiServerArguments(flags: ApiServerFlags): string[] {
  const { enableAdmissionPlugins: enable, disableAdmissionPlugins: disable, admissionControlConfigFile: file } = flags;
  return [
    ...(enable === undefined ? [] : ['--enable-admission-plugins', enable]),
    ...(disable === undefined ? [] : ['--disable-admission-plugins', disable]),
    ...(file === undefined ? [] : ['--admission-control-config-file', resolve(file)]),
  ];
}
