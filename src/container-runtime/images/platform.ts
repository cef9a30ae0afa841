/** Which image of a list is for this machine. Spec: OCI image-spec image-index.md. */

export interface PlatformEntry {
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
}

const goNames: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', loong64: 'loong64' };

/** Go's name of this machine's architecture. */
export function machineArchitecture(arch: string = process.arch): string {
  return goNames[arch] ?? arch;
}

/** The entry for Linux on this architecture; an entry without a platform is taken when none has one. */
export function choosePlatform(
  entries: readonly PlatformEntry[],
  architecture: string = machineArchitecture(),
): PlatformEntry | undefined {
  const fit = entries.filter(({ platform }) => platform?.os === 'linux' && platform.architecture === architecture);
  const rank = (entry: PlatformEntry): number => {
    const variant = entry.platform?.variant;
    if (variant === undefined || variant === 'v8') return 2;
    return variant === 'v7' ? 1 : 0;
  };
  return fit.sort((a, b) => rank(b) - rank(a))[0] ?? entries.find(({ platform }) => platform === undefined);
}
