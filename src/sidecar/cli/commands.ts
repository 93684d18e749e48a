import type { CommandEntry } from './command.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'nginx',
    summary: 'run nginx with upsync directives, in place of nginx',
    load: async () => (await import('./nginx.ts')).nginxCommand,
  },
  {
    name: 'run',
    summary: 'keep lists in step beside an nginx that somebody else starts',
    load: async () => (await import('./run.ts')).runCommand,
  },
  {
    name: 'check',
    summary: 'try everything that could go wrong, with a remedy for each',
    load: async () => (await import('./check.ts')).checkCommand,
  },
  {
    name: 'show',
    summary: 'show the lists in force and what each worker runs',
    load: async () => (await import('./show.ts')).showCommand,
  },
  {
    name: 'render',
    summary: 'print or write the translated configuration',
    load: async () => (await import('./render.ts')).renderCommand,
  },
  {
    name: 'registry',
    summary: 'run a registry that speaks the HTTP API of Consul',
    load: async () => (await import('./registry.ts')).registryCommand,
  },
  {
    name: 'demo',
    summary: 'a guided tour: registry, backends and nginx on this machine',
    load: async () => (await import('./demo.ts')).demoCommand,
  },
  {
    name: 'version',
    summary: 'print the version',
    load: async () => (await import('./version.ts')).versionCommand,
  },
];
