/** The streaming layer's face: SPDY/3.1 and WebSocket with Kubernetes' protocols for exec, attach and port-forward. */
export { Channels, channelProtocols } from './channels.ts';
export {
  type OpenPort,
  type PortForwardTarget,
  servePortForward,
  tunnelProtocol,
} from './port-forward.ts';
export { type RemoteSession, type RemoteStreams, serveRemoteCommand } from './remote-command.ts';
export { SpdyConnection, type SpdyOptions, SpdyStream } from './spdy-connection.ts';
export type { SpdyHeaders } from './spdy-frames.ts';
export {
  type AcceptedSocket,
  acceptSpdy,
  acceptWebSocket,
  isSpdyUpgrade,
  isWebSocketUpgrade,
  refuseUpgrade,
  type Upgrade,
} from './upgrade.ts';
