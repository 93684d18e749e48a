import type { NameReader, Resolution, Resolver, TrafficPlan } from '../../motan/resolution.ts';

type Switched = NameReader & Pick<Resolver, 'plan' | 'names' | 'peek'>;

/** A resolver that another one can take the place of while servers of names go on with it. */
export class SwitchResolver implements Switched {
  #current: Resolver;
  /** In force, by target. */
  readonly #plans = new Map<string, TrafficPlan>();

  constructor(first: Resolver) {
    this.#current = first;
  }

  get local(): string {
    return this.#current.local;
  }

  /** Goes on with `next`, under the same traffic plans as far as it knows their IDCs. The one before is its owner's to close. */
  use(next: Resolver): void {
    for (const [target, plan] of this.#plans) {
      try {
        next.plan(target, plan);
      } catch {
        // Its IDCs are gone; whoever set it sets another one, or none.
      }
    }
    this.#current = next;
  }

  resolve(name: string): Resolution {
    return this.#current.resolve(name);
  }

  ready(...args: Parameters<Resolver['ready']>): Promise<Resolution> {
    return this.#current.ready(...args);
  }

  forget(name: string): boolean {
    return this.#current.forget(name);
  }

  names(): readonly string[] {
    return this.#current.names();
  }

  peek(name: string): Resolution | undefined {
    return this.#current.peek(name);
  }

  plan(target: string, plan: TrafficPlan | undefined): void {
    this.#current.plan(target, plan);
    if (plan === undefined) this.#plans.delete(target);
    else this.#plans.set(target, plan);
  }
}
