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
    name: 'resolve',
    summary: 'show the servers of a resource.idc.port name',
    load: async () => (await import('./resolve.ts')).resolveCommand,
  },
  {
    name: 'dns',
    summary: 'answer names over DNS, with timed traffic plans',
    load: async () => (await import('./dns.ts')).dnsCommand,
  },
  {
    name: 'command',
    summary: 'show, try and write the traffic commands of a Motan group',
    load: async () => (await import('./motan-command.ts')).motanCommand,
  },
  {
    name: 'register',
    summary: 'register a server and keep it alive',
    load: async () => (await import('./register.ts')).registerCommand,
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
