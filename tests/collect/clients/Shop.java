// java Shop.java HOST KEY USER: the same as segment.mjs with Segment's Java SDK.
import com.segment.analytics.Analytics;
import com.segment.analytics.Callback;
import com.segment.analytics.messages.*;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.concurrent.*;

class Shop {
    static Date at = new Date(1767323045678L);

    static <T extends MessageBuilder> void send(Analytics analytics, T message, String id) {
        message.messageId(id).timestamp(at);
        analytics.enqueue(message);
    }

    public static void main(String[] args) throws Exception {
        String user = args[2];
        CountDownLatch left = new CountDownLatch(54);
        Callback callback = new Callback() {
            public void success(Message message) { left.countDown(); }
            public void failure(Message message, Throwable error) { error.printStackTrace(); }
        };
        Analytics analytics = Analytics.builder(args[1]).endpoint(args[0]).flushQueueSize(7)
            .flushInterval(1000, TimeUnit.MILLISECONDS).callback(callback).build();
        for (int i = 0; i < 50; i++)
            send(analytics, TrackMessage.builder("Product Viewed").userId(user)
                .properties(Map.of("product_id", "p-" + i, "category", "shoes")), user + "-view-" + i);
        send(analytics, TrackMessage.builder("Order Completed").userId(user).properties(Map.of(
            "order_id", "o-1", "total", 25, "currency", "USD", "products",
            List.of(Map.of("product_id", "p-7", "price", 12.5, "quantity", 2)))), user + "-order");
        send(analytics, IdentifyMessage.builder().userId(user).traits(
            Map.of("age", 34, "address", Map.of("city", "Manila"))), user + "-identify");
        send(analytics, PageMessage.builder("Home").anonymousId(user + "-anonymous"), user + "-page");
        send(analytics, GroupMessage.builder("g-1").userId(user).traits(
            Map.of("industry", "logistics")), user + "-group");
        analytics.flush();
        boolean all = left.await(20, TimeUnit.SECONDS);
        analytics.shutdown();
        System.exit(all ? 0 : 1);
    }
}
