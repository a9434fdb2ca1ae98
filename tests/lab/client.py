#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the lab's clients where no ready-made program does: SQL, HTTP, TCP, UDP
"""client.py sql HOST PORT           one query by impacket's TDS client
client.py live HOST PORT FILE     a connection that queries on; its end is told in FILE
client.py http HOST PORT          one page
client.py tcp HOST PORT [SOURCE]  connect, send a line, read it back
client.py slow HOST PORT          read a greeting, answer it one byte a segment
Prints one line; exit 0: it worked, 1: refused or reset, 2: no answer in time."""
import socket
import sys
import time

TIMEOUT_S = 2.0


def connect(host, port, source=None):
    sock = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
    sock.settimeout(TIMEOUT_S)
    if source:
        sock.bind((source, 0))
    sock.connect((host, port))
    return sock


def sql_open(host, port):
    from impacket import tds
    client = tds.MSSQL(host, port)
    client.socket = connect(host, port)
    if not client.login(None, 'erp_app', 'lab'):
        raise ConnectionError('login refused')
    return client


def sql_ask(client):
    rows = client.sql_query('SELECT @@VERSION')
    if not rows:
        raise ConnectionError('no row')
    value = rows[0]['version']
    return value.decode() if isinstance(value, bytes) else value


def do_sql(host, port):
    return sql_ask(sql_open(host, port)).split(' (')[0].replace('Microsoft ', '')


def do_live(host, port, path):
    """Query every 10 ms.  FILE: `up TIME`, then at the end `cut TIME WHY`."""
    client = sql_open(host, port)
    why = 'closed'
    with open(path, 'w') as f:
        print('up', time.time(), file=f, flush=True)
        try:
            while sql_ask(client):
                time.sleep(0.01)
        except TimeoutError:
            why = 'no answer'
        except OSError as e:
            why = e.strerror or str(e)
        except Exception as e:  # impacket on an empty answer: the other end closed
            why = 'closed (%s)' % type(e).__name__
        print('cut', time.time(), why, file=f, flush=True)
    return why


def do_http(host, port):
    sock = connect(host, port)
    sock.sendall(b'GET / HTTP/1.0\r\nHost: erp-db01\r\n\r\n')
    answer = b''
    while part := sock.recv(4096):
        answer += part
    if not answer:
        raise ConnectionError('closed')
    return 'HTTP %s' % answer.split()[1].decode('ascii', 'replace')


def do_tcp(host, port, source=None):
    sock = connect(host, port, source)
    sock.sendall(b'cordon lab\r\n')
    if not sock.recv(64):
        raise ConnectionError('closed')
    return 'connected'


def do_slow(host, port):
    sock = connect(host, port)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    greeting = sock.recv(256)
    for byte in b'SSH-2.0-lab\r\n':
        sock.sendall(bytes([byte]))
        sock.recv(1)
    return greeting.decode('ascii', 'replace').strip()


VERBS = {'sql': do_sql, 'live': do_live, 'http': do_http, 'tcp': do_tcp,
         'slow': do_slow}


def main():
    verb, host, port, *rest = sys.argv[1:]
    try:
        print(VERBS[verb](host, int(port), *rest))
    except TimeoutError:
        print('no answer')
        return 2
    except OSError as e:
        print(e.strerror or e)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
