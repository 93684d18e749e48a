package upsync;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import com.weibo.api.motan.registry.support.command.CommandFailbackRegistry;
import com.weibo.api.motan.registry.support.command.CommandListener;
import com.weibo.api.motan.registry.support.command.RpcCommand;
import com.weibo.api.motan.registry.support.command.RpcCommandUtil;
import com.weibo.api.motan.registry.support.command.ServiceListener;
import com.weibo.api.motan.rpc.URL;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Reads an array of command cases on standard input and prints what Motan's own classes make of each. */
public final class CommandCases {
    public static void main(String[] args) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        byte[] chunk = new byte[65536];
        for (int n = System.in.read(chunk); n >= 0; n = System.in.read(chunk)) bytes.write(chunk, 0, n);
        JSONArray cases = JSON.parseArray(new String(bytes.toByteArray(), "UTF-8"));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        out.println("[");
        for (int i = 0; i < cases.size(); i++) {
            JSONObject answer = answer(cases.getJSONObject(i));
            out.println(answer.toJSONString() + (i + 1 < cases.size() ? "," : ""));
        }
        out.println("]");
        out.flush();
        System.exit(0);
    }

    private static JSONObject answer(JSONObject input) {
        JSONObject answer = new JSONObject(true);
        try {
            if (input.containsKey("expression")) {
                answer.put("match", RpcCommandUtil.match(input.getString("expression"), input.getString("path")));
                return answer;
            }
            if (input.containsKey("server")) {
                answer.put(
                        "canServe",
                        URL.valueOf(input.getString("server")).canServe(URL.valueOf(input.getString("consumer"))));
                return answer;
            }
            if (input.containsKey("encode")) {
                answer.put("encoded", java.net.URLEncoder.encode(input.getString("encode"), "UTF-8"));
                return answer;
            }
            if (input.containsKey("decode")) {
                answer.put("decoded", java.net.URLDecoder.decode(input.getString("decode"), "UTF-8"));
                return answer;
            }
            if (input.containsKey("url")) {
                URL url = URL.valueOf(input.getString("url"));
                answer.put("protocol", url.getProtocol());
                answer.put("host", url.getHost());
                answer.put("port", url.getPort());
                answer.put("path", url.getPath());
                answer.put("parameters", new TreeMap<String, String>(url.getParameters()));
                return answer;
            }
            evaluate(input, answer);
        } catch (Throwable error) {
            answer.clear();
            answer.put("error", error.getClass().getSimpleName());
        }
        return answer;
    }

    private static void evaluate(JSONObject input, JSONObject answer) {
        Map<String, String> parameters = new HashMap<String, String>();
        parameters.put("group", input.getString("group"));
        if (input.getString("mixGroups") != null) parameters.put("mixGroups", input.getString("mixGroups"));
        URL consumer = new URL("motan", "127.0.0.1", 0, input.getString("path"), parameters);
        RpcCommand command = RpcCommandUtil.stringToCommand(input.getString("command"));
        if (command != null && command.getClientCommandList() != null) command.sort();
        List<URL> urls = new Cached(input.getJSONObject("nodes"))
                .commandPreview(consumer, command, input.getString("localIp"));
        List<String> servers = new ArrayList<String>();
        for (URL url : urls) {
            if ("rule".equals(url.getProtocol())) {
                Map<String, Integer> weights = new TreeMap<String, Integer>();
                for (String pair : url.getParameter("weights").split(",")) {
                    int colon = pair.lastIndexOf(':');
                    weights.put(pair.substring(0, colon), Integer.valueOf(pair.substring(colon + 1)));
                }
                answer.put("weights", weights);
            } else {
                servers.add(url.getGroup() + " " + url.getHost() + ":" + url.getPort());
            }
        }
        Collections.sort(servers);
        answer.put("servers", servers);
    }

    /** A registry that knows its servers beforehand. */
    private static final class Cached extends CommandFailbackRegistry {
        private final JSONObject nodes;

        Cached(JSONObject nodes) {
            super(new URL("cached", "127.0.0.1", 0, "registry"));
            this.nodes = nodes;
        }

        @Override
        protected List<URL> discoverService(URL url) {
            List<URL> urls = new ArrayList<URL>();
            JSONArray servers = nodes.getJSONArray(url.getGroup());
            if (servers == null) return urls;
            for (int i = 0; i < servers.size(); i++) {
                String[] address = servers.getString(i).split(":");
                Map<String, String> parameters = new HashMap<String, String>();
                parameters.put("group", url.getGroup());
                urls.add(new URL("motan", address[0], Integer.parseInt(address[1]), url.getPath(), parameters));
            }
            return urls;
        }

        @Override
        protected void subscribeService(URL url, ServiceListener listener) {}

        @Override
        protected void subscribeCommand(URL url, CommandListener listener) {}

        @Override
        protected void unsubscribeService(URL url, ServiceListener listener) {}

        @Override
        protected void unsubscribeCommand(URL url, CommandListener listener) {}

        @Override
        protected String discoverCommand(URL url) {
            return "";
        }

        @Override
        protected void doRegister(URL url) {}

        @Override
        protected void doUnregister(URL url) {}

        @Override
        protected void doAvailable(URL url) {}

        @Override
        protected void doUnavailable(URL url) {}
    }
}
