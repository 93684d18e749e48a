import { PacedClient, type PacedOptions } from './paced-client.ts';

// A process of its own, so that the measuring clock is not disturbed by what the bench itself does.
const options = JSON.parse(process.argv[2] ?? '{}') as PacedOptions;
const result = await new PacedClient(options).run();
process.stdout.write(JSON.stringify(result), () => process.exit(0));
