export type { DataAge } from './data-age.js';
export { DetailEvent, type DetailListener } from './events.js';
export {
    HeatmapWebSocket,
    type AgeDetail,
    type ConnectionStatus,
    type ErrorDetail,
    type HeatmapEvents,
    type HeatmapWebSocketOptions,
    type PollingDetail,
    type StatusDetail,
    type SubscribeOptions,
    type WarningDetail,
    type WebSocketConstructor,
    type WebSocketLike,
} from './heatmap-websocket.js';
export type { Level, Liquidation, PositionSums, Snapshot } from './protocol.js';
