export { DetailEvent } from './events.js';
export {
    HeatmapWebSocket,
    type ConnectionStatus,
    type ErrorDetail,
    type HeatmapEvents,
    type HeatmapWebSocketOptions,
    type StatusDetail,
    type SubscribeOptions,
    type WarningDetail,
    type WebSocketConstructor,
    type WebSocketLike,
} from './heatmap-websocket.js';
export type { Level, Snapshot } from './protocol.js';
