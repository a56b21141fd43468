// Who takes part: how each server is started for a scenario, and why it can not be, where it is not
// installed. Paths are those of a server's own: heatcast's clients name their symbol.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const peer = (name) => join(here, 'peers', name);

const python = '/usr/bin/python3'; // Debian's, which has Debian's modules
const nginxModule = '/usr/lib/nginx/modules/ngx_nchan_module.so';
const bun = join(
    here,
    `node_modules/@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}/bin/bun`,
);

// The version, or undefined where the command fails.
function ask(command, ...args) {
    const result = spawnSync(command, args, { encoding: 'utf8' });
    if (result.status !== 0) return undefined;
    return /\d+(\.\d+)+/.exec(result.stdout + result.stderr)?.[0];
}

function pythonModule(name) {
    return ask(python, '-c', `import importlib.metadata as m; print(m.version("${name}"))`);
}

async function freePort() {
    const server = createServer();
    await new Promise((settle) => server.listen(0, '127.0.0.1', settle));
    const { port } = server.address();
    await new Promise((settle) => server.close(settle));
    return port;
}

// nginx takes publications over HTTP and knows its port from its configuration alone. It starts to
// drop connections when a sixteenth of them is left.
async function startNchan({ payload, deflates, clients, folder }) {
    const port = await freePort();
    const prefix = join(folder, `nginx-${port}`);
    mkdirSync(prefix, { recursive: true });
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    writeFileSync(
        join(prefix, 'nginx.conf'),
        `load_module ${nginxModule};
daemon off;
master_process off;
pid ${prefix}/pid;
error_log stderr crit;
events { worker_connections ${Math.ceil(clients * 1.25) + 400}; multi_accept on; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${prefix}/${name};`).join('\n  ')}
  client_body_buffer_size 64k;
  keepalive_requests 1000000;
  nchan_message_buffer_length 1;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /sub {
      nchan_subscriber websocket;
      nchan_channel_id heatmap;
      nchan_subscriber_first_message newest;
      nchan_websocket_ping_interval 0;
    }
    location = /pub {
      nchan_publisher;
      nchan_channel_id heatmap;
      ${deflates ? 'nchan_deflate_message_for_websocket on;' : ''}
    }
  }
}
`,
    );
    return {
        command: ['nginx', '-p', prefix, '-c', join(prefix, 'nginx.conf')],
        path: '/sub',
        load: ['--port', String(port), '--publish', '/pub', '--body', payload],
    };
}

// `start` gets {programs, payload, payloadSize, deflatedSize, levels, deflates, clients, stalled,
// folder} and returns {command, path, load}: the load generator's further arguments.
export const servers = [
    {
        name: 'limit',
        label: 'physical limit',
        version: () => 'epoll and one send()',
        start: ({ programs, payloadSize, deflatedSize, deflates }) => ({
            command: [
                join(programs, 'limit_server'),
                '--size',
                String(deflates ? deflatedSize : payloadSize),
            ],
        }),
    },
    {
        name: 'heatcast',
        label: 'heatcast',
        version: () => 'this tree',
        start: ({ programs, levels, clients, stalled, path, options = [] }) => ({
            command: [
                join(programs, 'heatcast_source'),
                ...[
                    '--levels',
                    String(levels),
                    '--ws-max-connections',
                    String(clients + stalled + 100),
                ],
                ...options,
            ],
            path: path ?? '/ws/heatmap?symbols=BTCUSDT',
        }),
    },
    {
        name: 'nchan',
        label: 'nginx + nchan',
        needs: 'Debian: libnginx-mod-nchan',
        version: () => (existsSync(nginxModule) ? ask('nginx', '-v') : undefined),
        start: startNchan,
    },
    {
        name: 'bun',
        label: 'Bun (on uWebSockets)',
        needs: 'npm: @oven/bun-linux-x64',
        version: () => (existsSync(bun) ? ask(bun, '--version') : undefined),
        start: ({ payload, deflates }) => ({
            command: [bun, peer('bun_server.mjs'), payload, ...(deflates ? ['--deflate'] : [])],
        }),
    },
    {
        name: 'lws',
        label: 'libwebsockets',
        needs: 'Debian: libwebsockets-dev',
        version: ({ programs }) =>
            existsSync(join(programs, 'lws_server'))
                ? ask('pkg-config', '--modversion', 'libwebsockets')
                : undefined,
        start: ({ programs, payload, deflates }) => ({
            command: [join(programs, 'lws_server'), payload, ...(deflates ? ['--deflate'] : [])],
        }),
    },
    {
        name: 'ws',
        label: 'Node ws',
        needs: 'npm: ws',
        version: () =>
            existsSync(join(here, 'node_modules/ws'))
                ? `8.18.3, Node ${process.versions.node}`
                : undefined,
        start: ({ payload, deflates }) => ({
            command: [
                process.execPath,
                peer('ws_server.mjs'),
                payload,
                ...(deflates ? ['--deflate'] : []),
            ],
        }),
    },
    {
        name: 'websockets',
        label: 'Python websockets',
        needs: 'Debian: python3-websockets',
        version: () => pythonModule('websockets'),
        start: ({ payload, deflates }) => ({
            command: [
                python,
                peer('websockets_server.py'),
                payload,
                ...(deflates ? ['--deflate'] : []),
            ],
        }),
    },
    {
        name: 'fastapi',
        label: 'FastAPI, Uvicorn',
        needs: 'Debian: python3-fastapi python3-uvicorn python3-websockets',
        version: () =>
            pythonModule('websockets') && pythonModule('uvicorn') && pythonModule('fastapi'),
        start: ({ payload }) => ({ command: [python, peer('fastapi_server.py'), payload] }),
    },
];
