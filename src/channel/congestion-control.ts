import { kernels } from '../engine/engine.js';
import { isCongestionControlName, type SocketKernels } from '../engine/socket-kernels.js';
import { CongestionControlError, InvalidArgumentError } from '../errors.js';
import { socketOption } from './socket-option.js';

/**
 * How a connection finds out how fast it may send. `auto` is the best that the system allows, `system` leaves sockets as
 * they are, and a name asks for that one.
 */
export type CongestionControl = 'auto' | 'system' | (string & {});

/**
 * What `auto` takes, best first. BBR (Cardwell et al., ACM Queue, 2016) goes by what the line delivers, so losses that no
 * queue causes do not slow it down, as they do CUBIC (RFC 9438), which never pauses where nothing is lost.
 */
const BEST_FIRST = { losing: ['bbr', 'cubic'], calm: ['cubic', 'bbr'] } as const;

/** The names to try, best first; none for `system`. `loses`: whether packets are lost on the line; unknown counts as yes. */
export function congestionControlNames(choice: CongestionControl, loses = true): readonly string[] {
  if (choice === 'auto') return loses ? BEST_FIRST.losing : BEST_FIRST.calm;
  return choice === 'system' ? [] : [choice];
}

/**
 * Checks the option where it is given, and not at the first connection: raises InvalidArgumentError for what can be no
 * name, and CongestionControlError for one that this system, or the portable engine, does not give to a socket. Default
 * `auto`.
 */
export function congestionControlOption(
  name: string,
  value: unknown,
  use: Pick<SocketKernels, 'probeCongestionControl'> = kernels,
): CongestionControl {
  if (value === undefined) return 'auto';
  if (!isCongestionControlName(value)) {
    throw new InvalidArgumentError(name, value, 'auto, system, or a congestion control such as bbr or cubic');
  }
  if (value !== 'auto' && value !== 'system') {
    assertGiven(
      value,
      socketOption('TCP_CONGESTION', () => use.probeCongestionControl([value])),
    );
  }
  return value;
}

/** Raises CongestionControlError when a name was asked for and another is in force. */
export function assertGiven(choice: CongestionControl, inForce: string | undefined): void {
  if (choice === 'auto' || choice === 'system' || choice === inForce) return;
  throw new CongestionControlError(choice, inForce);
}
