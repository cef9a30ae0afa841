/** The scheduler layer's face. */
export { Framework, type Plugin, type ProfileEntry } from './framework.ts';
export { NodeInfo, PodInfo } from './node-info.ts';
export { defaultFramework } from './profile.ts';
export { scheduleOne } from './schedule-one.ts';
export { type SchedulerDeps, type SchedulerOptions, startScheduler } from './scheduler.ts';
