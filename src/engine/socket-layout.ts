/**
 * What the system measured on a TCP connection: the kernel's `struct tcp_info`. Counts are since the connection began.
 * What this system does not tell is not there.
 */
export interface TcpInfo {
  /** Smoothed round trip (RFC 6298), in microseconds. */
  rttUs?: number;
  rttVarUs?: number;
  /** The shortest round trip of the last minutes. */
  minRttUs?: number;
  /** How much may be on its way, in segments. */
  congestionWindowSegments?: number;
  /** Payload of a full segment. */
  segmentBytes?: number;
  /** Sent and not acknowledged. */
  unackedSegments?: number;
  /** Of those, what counts as lost. */
  lostSegments?: number;
  retransmittedSegments?: number;
  /** Taken from the process and never sent: what nothing can overtake any more. */
  notSentBytes?: number;
  /** How fast the newest acknowledged data was delivered. */
  deliveryRateBytesPerSecond?: number;
  /** 1 when that was measured while the process had too little to send: the line may carry more. Otherwise 0. */
  deliveryRateAppLimited?: number;
  ackedBytes?: number;
  /** Retransmissions included. */
  sentBytes?: number;
  retransmittedBytes?: number;
  /** How fast the system would send at present, Infinity without a limit. */
  pacingRateBytesPerSecond?: number;
  /** How long anything was waiting to be sent or acknowledged. */
  busyUs?: number;
  /** Of that, how long the peer's window was what it waited for. */
  receiveWindowLimitedUs?: number;
  /** Of that, how long the system's send buffer was. */
  sendBufferLimitedUs?: number;
}

/** In which order the addon writes them into a Float64Array: `kFields` in native/socket.cc. */
export const TCP_INFO_FIELDS = [
  'rttUs',
  'rttVarUs',
  'minRttUs',
  'congestionWindowSegments',
  'segmentBytes',
  'unackedSegments',
  'lostSegments',
  'retransmittedSegments',
  'notSentBytes',
  'deliveryRateBytesPerSecond',
  'deliveryRateAppLimited',
  'ackedBytes',
  'sentBytes',
  'retransmittedBytes',
  'pacingRateBytesPerSecond',
  'busyUs',
  'receiveWindowLimitedUs',
  'sendBufferLimitedUs',
] as const satisfies readonly (keyof TcpInfo)[];
