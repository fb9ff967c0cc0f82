"""A web service for tests: /say?status=N&body=TEXT answers so; /mute never does; all else tells, as JSON, what was asked."""
import http.server
import json
import sys
import urllib.parse


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def answer(self):
        url = urllib.parse.urlsplit(self.path)
        words = dict(urllib.parse.parse_qsl(url.query))
        sent = self.rfile.read(int(self.headers.get('Content-Length', 0))).decode()
        if url.path == '/mute':
            self.rfile.read()
        said = {'method': self.command, 'sent': sent, 'accept': self.headers.get('Accept'),
                'x': self.headers.get('X-Test'), 'lag': 0.1, 'count': 3, 'up': True,
                'members': [{'name': 'a', 'role': 'leader'}, {'name': 'b', 'role': 'replica'}], 'a.b': 'dots'}
        body = words.get('body', json.dumps(said)).encode()
        self.send_response(int(words.get('status', 200)))
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = do_DELETE = answer

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Web)
print('listening', flush=True)
server.serve_forever()
