/** Configurations as they are found in the wild, each a whole main file without includes. */
export const CORPUS: readonly { readonly title: string; readonly text: string }[] = [
  {
    title: 'a distribution default',
    text: `user www-data;
worker_processes auto;
pid /run/nginx.pid;
events {
	worker_connections 768;
	# multi_accept on;
}

http {
	sendfile on;
	types_hash_max_size 2048;
	types {
		text/html html htm shtml;
		"text/x-odd type" odd;
	}
	default_type application/octet-stream;
	ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; # Dropping SSLv3, ref: POODLE
	gzip on;
	# mail {
	# }
	server { listen 127.0.0.1:8081; return 204; }
}
`,
  },
  {
    title: 'maps, geo, split clients and regular expressions',
    text: `events {}
http {
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  map $uri $new { ~^/old/(?<rest>.*)$ /new/$rest; "~^/a{2}" /b; default ""; }
  geo $limited { default 1; 10.0.0.0/8 0; }
  split_clients "\${remote_addr}AAA" $variant { 0.5% .one; * ""; }
  log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                  '$status $body_bytes_sent "$http_referer" '
                  "\\"$http_user_agent\\"";
  limit_req_zone $binary_remote_addr zone=one:1m rate=100r/s;
  server {
    listen 127.0.0.1:8082;
    server_name ~^(?<sub>.+)\\.example\\.com$ "";
    location ~ "^/\\d{3}/[^{}]+$" { return 200 "a;b{c}#d"; }
    location = /x { if ($args ~* "(^|&)a=b") { return 302 $scheme://$host\${uri}?x; } }
    error_page 502 503 = @fallback;
    location @fallback { return 503; }
  }
}
`,
  },
  {
    title: 'Windows line ends',
    text: 'events {\r\n}\r\nhttp {\r\n  # c\r\n  server {\r\n    listen 127.0.0.1:8083;\r\n  }\r\n}\r\n',
  },
  {
    title: 'everything on one line',
    text: 'events{}http{server{listen 127.0.0.1:8084;location /{return 200 ok;}}}',
  },
  {
    title: 'Lua everywhere',
    text: `events {}
http {
  init_by_lua_block { cfg = { a = { "}" } } -- }
    x = [==[ ]] } ]==]
  }
  server {
    listen 127.0.0.1:8085;
    set_by_lua_block $y { return "{" }
    location / {
      access_by_lua_block { if ngx.var.arg_x then return ngx.exit(403) end }
      content_by_lua 'ngx.say("it\\'s } ok")';
    }
    log_by_lua_block { --[[ } ]] local n = #"}" }
  }
}
`,
  },
  { title: 'no line end at the end', text: 'events {} # last' },
  {
    title: 'bytes that are no UTF-8',
    text: 'events {}\n# caf\xe9 \xff\xfe\nhttp { server { listen 127.0.0.1:8086; add_header X "\xe9"; } }\n',
  },
];
