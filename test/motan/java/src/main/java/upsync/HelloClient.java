package upsync;

import com.weibo.api.motan.config.ProtocolConfig;
import com.weibo.api.motan.config.RefererConfig;
import com.weibo.api.motan.config.RegistryConfig;

/** A Motan client that finds its server through Consul: `HelloClient group registry-address`. Prints one answer, or why there is none. */
public final class HelloClient {
    public static void main(String[] args) throws Exception {
        RegistryConfig registry = new RegistryConfig();
        registry.setRegProtocol("consul");
        registry.setAddress(args[1]);
        registry.setCheck("false");
        ProtocolConfig protocol = new ProtocolConfig();
        protocol.setId("motan");
        protocol.setName("motan");
        RefererConfig<Hello> referer = new RefererConfig<Hello>();
        referer.setInterface(Hello.class);
        referer.setApplication("upsync peer");
        referer.setModule("test");
        referer.setGroup(args[0]);
        referer.setVersion("1.0");
        referer.setRequestTimeout(5000);
        referer.setRegistry(registry);
        referer.setProtocol(protocol);
        Hello hello = referer.getRef();
        for (int left = 10; ; left--) {
            try {
                System.out.println("answer: " + hello.hello("upsync"));
                System.exit(0);
            } catch (RuntimeException error) {
                // On a busy machine the first connection may take longer than Motan waits for it.
                if (left == 0) {
                    error.printStackTrace();
                    System.exit(1);
                }
                Thread.sleep(500);
            }
        }
    }
}
