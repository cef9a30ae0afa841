/**
 * Flags of where the API listens and how it is known to others. Upstream: apiserver
 * pkg/server/options/{serving,server_run_options}.go, filters/{cors,hsts}.go.
 * Deviation: the API listens on loopback unless `--bind-address` says otherwise; upstream's on every address.
 */
import { isIP } from 'node:net';
import { goQuote } from '#apimachinery';
import { regexFault } from '#apimachinery/schema';
import { UserError } from '#base';
import { type FlagGroup, type GivenFlags, refused } from './flag.ts';
import type { ListeningSettings } from './settings.ts';

const portFlag = 'secure-port';
const bindFlag = 'bind-address';
const advertiseFlag = 'advertise-address';
const hostnameFlag = 'external-hostname';
const certDirFlag = 'cert-dir';
const streamsFlag = 'http2-max-streams-per-connection';
const noHttp2Flag = 'disable-http2-serving';
const portSharingFlag = 'permit-port-sharing';
const corsFlag = 'cors-allowed-origins';
const hstsFlag = 'strict-transport-security-directives';

export const listeningFlags: FlagGroup = {
  title: 'Listening:',
  flags: [
    { name: portFlag, value: 'port', help: 'port of the API, as --port (kept for later starts)' },
    { name: bindFlag, value: 'ip', help: 'address of the API; 0.0.0.0 or :: for all (kept; default: 127.0.0.1)' },
    { name: advertiseFlag, value: 'ip', help: 'address by which the cluster reaches it, in the kubernetes Service' },
    {
      name: hostnameFlag,
      value: 'name',
      help: 'host in documents that lead back to the API (default: that asked for)',
    },
    {
      name: certDirFlag,
      value: 'path',
      help: 'directory with apiserver.crt and apiserver.key, which are made there when absent',
      isPath: true,
    },
    { name: streamsFlag, value: 'number', help: 'requests at once on one connection of HTTP/2 (default: 1000)' },
    { name: noHttp2Flag, help: 'HTTP/1.1 alone (default: false)' },
    { name: portSharingFlag, help: 'let several processes listen on the same address and port (default: false)' },
    { name: corsFlag, value: 'regexps', help: 'origins whose pages may use the API from a browser' },
    { name: hstsFlag, value: 'directives', help: 'of the header Strict-Transport-Security' },
  ],
  settings(given) {
    const corsAllowedOrigins = given.list(corsFlag, { keepEmpty: true })?.map(checkedOrigin);
    const hstsDirectives = given.list(hstsFlag, { keepEmpty: true })?.map(checkedDirective);
    const externalHostname = given.text(hostnameFlag);
    return {
      listening: listening(given),
      apiServer: {
        ...(corsAllowedOrigins && { corsAllowedOrigins }),
        ...(hstsDirectives && { hstsDirectives }),
        ...(externalHostname && { externalHostname }),
      },
    };
  },
};

function listening(given: GivenFlags): ListeningSettings {
  const port = given.integer(portFlag);
  if (port !== undefined && (port < 1 || port > 65535)) {
    throw new UserError(`--${portFlag} ${port} must be between 1 and 65535, inclusive. It cannot be turned off with 0`);
  }
  const address = ip(given, bindFlag);
  const advertiseAddress = ip(given, advertiseFlag);
  const certDir = given.path(certDirFlag);
  const streams = given.integer(streamsFlag);
  const http1Only = given.boolean(noHttp2Flag);
  const reusePort = given.boolean(portSharingFlag);
  return {
    ...(port !== undefined && { port }),
    ...(address !== undefined && { address }),
    ...(advertiseAddress !== undefined && !isUnspecified(advertiseAddress) && { advertiseAddress }),
    ...(certDir && { certDir }),
    listener: {
      ...(streams && { maxConcurrentStreams: streams }),
      ...(http1Only !== undefined && { http1Only }),
      ...(reusePort !== undefined && { reusePort }),
    },
  };
}

const isUnspecified = (address: string): boolean => address === '0.0.0.0' || address === '::';

function ip(given: GivenFlags, flag: string): string | undefined {
  const text = given.text(flag)?.trim();
  if (text === undefined || text === '') return undefined;
  if (isIP(text) === 0) throw refused(flag, text, `failed to parse IP: ${goQuote(text)}`);
  return text;
}

const corsHelp =
  "List of allowed origins for CORS, comma separated. An allowed origin can be a regular expression to support subdomain matching. If this list is empty CORS will not be enabled. Please ensure each expression matches the entire hostname by anchoring to the start with '^' or including the '//' prefix, and by anchoring to the end with '$' or including the ':' port separator suffix. Examples of valid expressions are '//example\\.com(:|$)' and '^https://example\\.com(:|$)'";

/** An expression that could match a part of somebody else's host is refused. */
function checkedOrigin(pattern: string): string {
  if (pattern === '') throw new UserError(`empty value in --${corsFlag}, help: ${corsHelp}`);
  const fault = regexFault(pattern);
  const isPinned = /\^|\/\//.test(pattern) && /[$:]/.test(pattern);
  const why =
    fault ?? (isPinned ? undefined : 'regular expression does not pin to start/end of host in the origin header');
  if (why) throw new UserError(`--${corsFlag} has an invalid regular expression: ${why}, help: ${corsHelp}`);
  return pattern;
}

function checkedDirective(directive: string): string {
  if (directive.trim() === '') throw new UserError(`empty value in ${hstsFlag}`);
  if (!/^(includeSubDomains|preload|max-age=[^=]*)$/.test(directive)) {
    throw new UserError(
      `--${hstsFlag} invalid, allowed values: max-age=expireTime, includeSubDomains, preload. see https://tools.ietf.org/html/rfc6797#section-6.1 for more information`,
    );
  }
  return directive;
}
