/**
 * Who a container's process is: numbers from the pod, names and numbers from the image's `USER`, groups from the image's
 * own /etc/passwd and /etc/group. Upstream: containerd pkg/oci/spec_opts.go WithUser, WithAdditionalGIDs.
 */
import { lstat, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CriError, type LinuxSecurityContext } from '#cri';

export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * Resolves the user. `imageUser` is the image's `USER` ("", "app", "1000", "app:staff", "1000:1000"); the pod's
 * settings win over it. Rejects with `invalid` for a name that the image does not have.
 */
export async function resolveUser(
  rootfs: string,
  imageUser: string,
  security: Pick<LinuxSecurityContext, 'runAsUser' | 'runAsUsername' | 'runAsGroup' | 'supplementalGroups'>,
): Promise<OciUser> {
  const [passwdText, groupText] = await Promise.all([
    readInRoot(rootfs, 'etc/passwd'),
    readInRoot(rootfs, 'etc/group'),
  ]);
  const passwd = parsePasswd(passwdText);
  const groups = parseGroup(groupText);
  const fromPod = security.runAsUser !== undefined || security.runAsUsername !== undefined;
  const [imageUserPart = '', imageGroupPart = ''] = imageUser.split(':');
  const userText = fromPod ? String(security.runAsUser ?? security.runAsUsername) : imageUserPart || '0';
  const groupTextWanted = fromPod ? '' : imageGroupPart;
  const entry = /^\d+$/.test(userText)
    ? passwd.find(each => each.uid === Number(userText))
    : passwd.find(each => each.name === userText);
  if (!entry && !/^\d+$/.test(userText)) {
    throw new CriError('invalid', `unable to find user ${userText}: no matching entries in passwd file`);
  }
  const uid = entry?.uid ?? Number(userText);
  const gid = security.runAsGroup ?? groupNumber(groupTextWanted, groups) ?? entry?.gid ?? 0;
  const named = entry ? groups.filter(group => group.members.includes(entry.name)).map(group => group.gid) : [];
  const additionalGids = [...new Set([gid, ...named, ...security.supplementalGroups])].sort((a, b) => a - b);
  return { uid, gid, additionalGids };
}

function groupNumber(text: string, groups: readonly GroupEntry[]): number | undefined {
  if (text === '') return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  const found = groups.find(group => group.name === text);
  if (!found) throw new CriError('invalid', `unable to find group ${text}: no matching entries in group file`);
  return found.gid;
}

function parsePasswd(text: string): PasswdEntry[] {
  return lines(text).map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}

function parseGroup(text: string): GroupEntry[] {
  return lines(text).map(([name = '', , gid, members = '']) => ({
    name,
    gid: Number(gid),
    members: members.split(',').filter(member => member !== ''),
  }));
}

const lines = (text: string): string[][] =>
  text
    .split('\n')
    .filter(line => line.includes(':') && !line.startsWith('#'))
    .map(line => line.trim().split(':'));

const maxLinks = 40;

/** Reads a file of the image, following symbolic links inside its root only; empty when it is not there. */
async function readInRoot(root: string, path: string): Promise<string> {
  let todo = path.split('/');
  let at: string[] = [];
  for (let links = 0; todo.length > 0; ) {
    const name = todo.shift()!;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at.pop();
      continue;
    }
    const here = join(root, ...at, name);
    const stat = await lstat(here).catch(() => undefined);
    if (!stat) return '';
    if (!stat.isSymbolicLink()) {
      at.push(name);
      continue;
    }
    if (++links > maxLinks) return '';
    const target = await readlink(here);
    if (target.startsWith('/')) at = [];
    todo = [...target.split('/'), ...todo];
  }
  const full = join(root, ...at);
  const stat = await lstat(full).catch(() => undefined);
  return stat?.isFile() ? readFile(full, 'utf8') : '';
}
