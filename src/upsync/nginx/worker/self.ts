/** Which worker this is; set once, before the first request. */
export const self = {
  /** From 0; -1 in the nginx master, which is no worker. */
  workerId: -1,
  workerCount: 1,
  /** True from the moment requests may come. */
  isServing: false,
  /** How often the configuration had been loaded when this worker's code was; old and new workers of a reload differ. */
  cycle: 0,
};
