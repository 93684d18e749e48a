package upsync;

/** The service both sides speak in the interoperability test. */
public interface Hello {
    String hello(String name);
}
