/** Writes a set of files into a directory that others may be able to write to. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { dirname, join, parse, resolve, sep } from "node:path";

/** A file to be written. */
export interface NewFile {
  name: string;
  text: string;
  mode: number;
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * The directory without links, created if it is missing.
 *
 * @throws if another user, who could point it anywhere, made a link on the way, or a link leads nowhere
 */
export function realDirectory(directory: string): string {
  const user = process.getuid?.();
  const seen: string[] = [];
  const follow = (path: string): string => {
    let real = parse(path).root;
    for (const name of path.slice(real.length).split(sep)) {
      const next = join(real, name);
      const stats = statOf(next);
      if (stats?.isSymbolicLink() !== true) {
        real = next;
        continue;
      }
      if (user !== undefined && stats.uid !== user && stats.uid !== 0) {
        throw new Error(
          `${next} is a symbolic link of another user (uid ${stats.uid}), and render does not write through it: ` +
            `choose another directory with --out, or remove the link`,
        );
      }
      if (seen.length > 40) throw new Error(`${directory} is a loop of symbolic links: choose another --out`);
      seen.push(next);
      real = follow(resolve(real, readlinkSync(next)));
    }
    return real;
  };
  const real = follow(resolve(directory));
  const there = statOf(real);
  if (there && !there.isDirectory())
    throw new Error(`${real} is not a directory: choose another one with --out`);
  mkdirSync(real, { recursive: true });
  return realpathSync(real);
}

/**
 * The beginning of a file that is not a link, or undefined if there is none.
 *
 * @throws if it is a link or anything but a file
 */
export function ownText(path: string): string | undefined {
  const stats = statOf(path);
  if (stats === undefined) return undefined;
  if (!stats.isFile()) {
    const what = stats.isSymbolicLink() ? "a symbolic link" : "not a regular file";
    throw new Error(
      `${path} is ${what}, and render does not write through it: remove it (rm ${path}), or choose another ` +
        "directory with --out",
    );
  }
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return fstatSync(file).isFile() ? readFileSync(file, "utf8") : undefined;
  } finally {
    closeSync(file);
  }
}

/**
 * Replaces files in a directory. Each is written whole, in a separate directory that nobody else can enter, and then
 * renamed: a link that somebody puts in its place meanwhile is replaced, never followed. If that fails, none of the new
 * files stays.
 *
 * @param directory without links: {@link realDirectory}
 * @param files in the order in which they appear; the last one makes the set complete
 * @param isOld whether an existing file belongs to the earlier set and is removed
 */
export function replaceFiles(
  directory: string,
  files: readonly NewFile[],
  isOld: (name: string) => boolean,
): void {
  const replaced = readdirSync(directory).filter(
    (name) => isOld(name) || files.some((file) => file.name === name),
  );
  for (const name of replaced) ownText(join(directory, name));
  const scratch = mkdtempSync(join(directory, ".render-"));
  const placed: string[] = [];
  try {
    for (const { name, text, mode } of files) {
      if (dirname(name) !== ".") throw new Error(`${name} is not the name of a file`);
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const file = openSync(join(scratch, name), flags, mode);
      try {
        writeFileSync(file, text);
      } finally {
        closeSync(file);
      }
    }
    // Backwards from its last file: until that exists again, the set does not count as complete.
    const order = files.map(({ name }) => name);
    replaced.sort((a, b) => order.indexOf(b) - order.indexOf(a));
    for (const name of replaced) rmSync(join(directory, name));
    for (const { name } of files) {
      placed.push(name);
      renameSync(join(scratch, name), join(directory, name));
    }
  } catch (error) {
    for (const name of placed) rmSync(join(directory, name), { force: true });
    throw error;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
