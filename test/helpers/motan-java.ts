import { execFile, type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../motan/java/', import.meta.url));
const SOURCES = join(PROJECT, 'src/main/java/upsync');

/** True when the Java compiler and Maven are on the path. */
export function hasJavaAndMaven(): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return ['java', 'javac', 'mvn'].every((program) =>
    folders.some((folder) => existsSync(join(folder, program))),
  );
}

/** Builds the Java peer once per state of its sources, and gives the class path to run it with. */
export async function buildJavaPeer(): Promise<string> {
  const sources = readdirSync(SOURCES).map((file) => join(SOURCES, file));
  const hash = createHash('sha256');
  for (const file of [join(PROJECT, 'pom.xml'), ...sources]) hash.update(readFileSync(file));
  const target = fileURLToPath(
    new URL(`../../.cache/motan-java/${hash.digest('hex').slice(0, 16)}`, import.meta.url),
  );
  const classes = join(target, 'classes');
  const listing = join(target, 'classpath');
  if (!existsSync(join(classes, 'upsync/Hello.class'))) {
    mkdirSync(classes, { recursive: true });
    const maven = [
      '-q',
      '-B',
      `-DbuildTo=${target}`,
      'dependency:build-classpath',
      `-Dmdep.outputFile=${listing}`,
    ];
    await run('mvn', maven, PROJECT);
    await run(
      'javac',
      ['-nowarn', '-cp', readFileSync(listing, 'utf8').trim(), '-d', classes, ...sources],
      target,
    );
  }
  return `${classes}:${readFileSync(listing, 'utf8').trim()}`;
}

/** Feeds cases to Motan's own classes. */
export async function askMotan(classPath: string, cases: readonly object[]): Promise<readonly MotanAnswer[]> {
  const output = run(
    'java',
    [...JAVA_FLAGS, '-cp', classPath, 'upsync.CommandCases'],
    PROJECT,
    JSON.stringify(cases),
  );
  return JSON.parse(await output) as MotanAnswer[];
}

/** Starts a Java program of the peer; the caller ends it. */
export function startJava(classPath: string, main: string, args: readonly string[]): ChildProcess {
  return spawn('java', [...JAVA_FLAGS, '-cp', classPath, `upsync.${main}`, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

export interface MotanAnswer {
  readonly error?: string;
  readonly match?: boolean;
  readonly canServe?: boolean;
  readonly weights?: Readonly<Record<string, number>>;
  readonly servers?: readonly string[];
}

// Hessian looks into java.lang; without this Java 17 forbids it.
const JAVA_FLAGS = ['-Xmx256m', '--add-opens=java.base/java.lang=ALL-UNNAMED'];

async function run(program: string, args: readonly string[], cwd: string, input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, maxBuffer: 64 << 20, timeout: 300_000 };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else
        reject(
          new Error(`${program} failed: ${stdout.slice(0, 500)} ${stderr.slice(0, 500)}`, { cause: error }),
        );
    });
    child.stdin?.end(input);
  });
}
