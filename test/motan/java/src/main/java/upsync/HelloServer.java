package upsync;

import com.weibo.api.motan.common.MotanConstants;
import com.weibo.api.motan.config.ProtocolConfig;
import com.weibo.api.motan.config.RegistryConfig;
import com.weibo.api.motan.config.ServiceConfig;
import com.weibo.api.motan.util.MotanSwitcherUtil;

/** A Motan server: `HelloServer port group registry-address|local`. Ends when standard input ends. */
public final class HelloServer {
    public static void main(String[] args) throws Exception {
        RegistryConfig registry = new RegistryConfig();
        if (args[2].equals("local")) {
            registry.setRegProtocol("local");
        } else {
            registry.setRegProtocol("consul");
            registry.setAddress(args[2]);
        }
        ProtocolConfig protocol = new ProtocolConfig();
        protocol.setId("motan");
        protocol.setName("motan");
        ServiceConfig<Hello> service = new ServiceConfig<Hello>();
        service.setInterface(Hello.class);
        final String port = args[0];
        service.setRef(
                new Hello() {
                    @Override
                    public String hello(String name) {
                        return "hello " + name + " from " + port;
                    }
                });
        service.setApplication("upsync peer");
        service.setModule("test");
        service.setGroup(args[1]);
        service.setVersion("1.0");
        service.setHost("127.0.0.1");
        service.setShareChannel(true);
        service.setRegistry(registry);
        service.setProtocol(protocol);
        service.setExport("motan:" + port);
        service.export();
        MotanSwitcherUtil.setSwitcherValue(MotanConstants.REGISTRY_HEARTBEAT_SWITCHER, true);
        System.out.println("serving " + port);
        while (System.in.read() >= 0) {}
        System.exit(0);
    }
}
