/**
 * `--token-auth-file`: tokens with their users, read once, one a line: token, user, uid and, in quotes where there are
 * several, groups. Upstream: apiserver pkg/authentication/token/tokenfile.
 */
import { type Logger, UserError } from '#base';
import { staticTokens, type TokenAuthenticator } from './authenticator.ts';
import { CsvError, parseCsv } from './csv.ts';
import { readText } from './read-text.ts';
import { type UserInfo, user } from './user.ts';

/** Throws a UserError for a file that cannot be read or understood. */
export function tokenFile(path: string, logger: Logger): TokenAuthenticator {
  return staticTokens(parseTokens(readText(path), path, logger));
}

function parseTokens(text: string, path: string, logger: Logger): Map<string, UserInfo> {
  const tokens = new Map<string, UserInfo>();
  let records: string[][];
  try {
    records = parseCsv(text);
  } catch (error) {
    if (error instanceof CsvError) throw new UserError(error.message, { cause: error });
    throw error;
  }
  for (const [at, record] of records.entries()) {
    const [token = '', name, uid, groups] = record;
    if (name === undefined || uid === undefined) {
      const columns = 'must have at least 3 columns (token, user name, user uid)';
      throw new UserError(`token file '${path}' ${columns}, found ${record.length}`);
    }
    const where = { path, record: at + 1 };
    if (token === '') {
      logger.warn('empty token in token file', where);
      continue;
    }
    if (tokens.has(token)) logger.warn('duplicate token in token file', where);
    tokens.set(token, user(name, groups === undefined ? [] : groups.split(','), { uid }));
  }
  return tokens;
}
