/** Elapsed and processor time of some work, which may come in pieces. */
export class Clock {
  seconds = 0;
  cpuSeconds = 0;

  async time(work: () => Promise<void>): Promise<void> {
    const [begun, cpu] = [performance.now(), process.cpuUsage()];
    await work();
    const { user, system } = process.cpuUsage(cpu);
    this.seconds += (performance.now() - begun) / 1000;
    this.cpuSeconds += (user + system) / 1e6;
  }
}
