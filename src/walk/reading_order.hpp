#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "filetree/fs.hpp"
#include "listed_directory.hpp"

namespace filetree::walk {

// Which directory is to be read next, so that directories are read in the order in which the
// consumer of an ordered walk will come to them.
//
// The directories that are known and not yet passed form a tree of nodes. The consumer holds the
// nodes on its way from the top (they are *claimed*); below them hang those that are being read or
// have been. `order_` lists, in the order of the walk, the nodes that still have children nobody
// has taken, and as place holders the nodes being read.
//
// Holds no lock: whoever uses it does. `ahead_bytes()` may be asked at any time.
//
// `order_` does not own: a node leaves it (forget(), unplan()) before the last reference to it
// goes, and what throws for want of memory has changed nothing of what the order holds or counts.
class ReadingOrder {
   public:
    struct Node;
    using NodePtr = std::shared_ptr<Node>;

    [[nodiscard]] static NodePtr new_claim(const std::string& path);

    // --- the consumer comes by ---

    // The child at `path`, if it has been taken. Those before it are forgotten.
    NodePtr claim(Node& parent, const std::string& path);
    // The child at `path` will not be claimed: it is read at once.
    void skip(Node& parent, const std::string& path);
    // These of `names` are the children to take of a claimed node, before any others.
    void plan_first(Node& node, const Listing& names, const std::vector<std::uint32_t>& children);
    // The children will be claimed in this order, and those not named will not.
    void reorder(Node& node, const std::vector<std::string>& names);
    // The consumer has what was read of a node it claimed.
    void pass_to_consumer(Node& node);
    // Nobody will come to the node, or to what is below it.
    void forget(Node& node);
    void forget_below(Node& node);

    // --- readers take and complete ---

    // How many children nobody has taken.
    [[nodiscard]] std::size_t untaken() const noexcept { return untaken_; }
    // The first of them; null: there is none.
    NodePtr take();
    // The node has been read. Its children take its place in the order.
    void complete(Node& node, ListedDirectory&& listed, const std::vector<std::uint32_t>& children);

    // What has been taken and not been claimed.
    [[nodiscard]] std::size_t ahead_directories() const noexcept { return ahead_directories_; }
    [[nodiscard]] std::size_t ahead_bytes() const noexcept { return ahead_bytes_; }

   private:
    [[nodiscard]] static std::string next_path(const Node& parent);
    void advance(Node& parent);
    void set_plan(Node& node, const Listing& names, const std::vector<std::uint32_t>& children);
    void unplan(Node& node);
    void place_before(std::list<Node*>::iterator at, Node& node);
    void unplace(Node& node);
    void bring_to_front(Node& node, std::list<Node*>& place) noexcept;
    void move_to_end(std::list<Node*>& front, Node& node) noexcept;
    void uncount(Node& node);

    std::list<Node*> order_;
    std::size_t untaken_ = 0;
    std::size_t ahead_directories_ = 0;
    std::atomic<std::size_t> ahead_bytes_{0};
};

struct ReadingOrder::Node {
    enum class Phase : std::uint8_t { reading, ready, claimed, forgotten };

    Node(std::string path_, Phase phase_) : path(std::move(path_)), phase(phase_) {}

    const std::string path;
    Phase phase;
    std::atomic<bool> awaited{false};  // by the consumer
    bool follow = true;                // should it be a symlink
    ListedDirectory listed;

   private:
    friend class ReadingOrder;

    [[nodiscard]] std::size_t untaken() const noexcept { return plan.size() - next; }

    bool ahead_of_consumer = false;  // counted in ahead_directories_
    std::size_t footprint = 0;       // counted in ahead_bytes_

    Listing children;
    std::vector<std::uint32_t> plan;  // of `children`, in the order of the walk
    std::size_t next = 0;             // of `plan`: the first that nobody has taken
    std::list<NodePtr> ahead;         // taken, not claimed, in the order of the walk

    bool placed = false;
    std::list<Node*>::iterator place;  // in order_, when placed
};

}  // namespace filetree::walk
