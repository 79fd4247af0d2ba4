import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Makes a new broker create the internal topics of its group and transaction coordinators.
 *
 * <p>fetch.sh runs it once, before it keeps the broker's data as the template: else each broker of each test would
 * spend two seconds on the same.
 */
class WarmUp {
    public static void main(String[] arguments) throws Exception {
        String name = "odrwatch-test-warm-up";
        String bootstrap = arguments[0];
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            long deadline = System.nanoTime() + 60_000_000_000L;
            while (true) {
                try {
                    admin.listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get();
                    break;
                } catch (ExecutionException error) {
                    boolean passing = error.getCause() instanceof RetriableException;
                    if (!passing || System.nanoTime() > deadline) {
                        throw error;
                    }
                    Thread.sleep(100);
                }
            }
        }
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "transactional.id", name);
        ByteArraySerializer bytes = new ByteArraySerializer();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, bytes, bytes)) {
            producer.initTransactions();
        }
    }
}
