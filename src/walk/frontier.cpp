#include "frontier.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "../fs/packed.hpp"

namespace filetree::walk {
namespace {

constexpr std::uint32_t magic = 0x52465446;  // "FTFR"
constexpr std::uint32_t version = 1;

void put_time(const Timestamp& time, PackedWriter& out) {
    out.put(time.seconds);
    out.put(time.nanoseconds);
}

Timestamp get_time(PackedReader& in) {
    Timestamp time;
    time.seconds = in.get<std::int64_t>();
    time.nanoseconds = in.get<std::uint32_t>();
    return time;
}

void encode_directory(const Node& node, PackedWriter& out) {
    const Attributes& attributes = node.attributes();
    out.put_string(node.name());
    for (const std::uint64_t value : {attributes.inode, attributes.device, attributes.size,
                                      attributes.blocks, attributes.links}) {
        out.put(value);
    }
    for (const Timestamp& time : {attributes.atime, attributes.mtime, attributes.ctime}) {
        put_time(time, out);
    }
    for (const std::uint32_t value : {attributes.mode, attributes.uid, attributes.gid}) {
        out.put(value);
    }
    out.put(static_cast<std::uint8_t>(attributes.automount_point ? 1 : 0));
}

Attributes decode_attributes(PackedReader& in) {
    Attributes attributes;
    for (std::uint64_t* value : {&attributes.inode, &attributes.device, &attributes.size,
                                 &attributes.blocks, &attributes.links}) {
        *value = in.get<std::uint64_t>();
    }
    for (Timestamp* time : {&attributes.atime, &attributes.mtime, &attributes.ctime}) {
        *time = get_time(in);
    }
    for (std::uint32_t* value : {&attributes.mode, &attributes.uid, &attributes.gid}) {
        *value = in.get<std::uint32_t>();
    }
    attributes.automount_point = in.get<std::uint8_t>() != 0;
    return attributes;
}

NodePtr make_child(const NodePtr& parent, std::string_view name, const Attributes& attributes) {
    const ExcludedNames* excluded = parent->excluded();
    const ExcludedNames* below = excluded != nullptr ? excluded->below(name) : nullptr;
    return NodePtr(new Node(parent, std::string(name), attributes, below));
}

// The directories on the way to those of a frontier, which have been finished.
class Ancestors {
   public:
    explicit Ancestors(NodePtr top) : top_(std::move(top)) {}

    NodePtr at(std::string_view path) {
        NodePtr node = top_;
        while (!path.empty()) {
            const std::string_view name = path.substr(0, path.find('/'));
            path.remove_prefix(std::min(path.size(), name.size() + 1));
            NodePtr& child = nodes_[{node.get(), std::string(name)}];
            if (!child) {
                child = make_child(node, name, {});
                child->holds.store(0);  // its own parts are done
            }
            node = child;
        }
        return node;
    }

   private:
    const NodePtr top_;
    std::map<std::pair<const Node*, std::string>, NodePtr> nodes_;
};

}  // namespace

std::string encode_frontier(std::string_view top, std::uint64_t top_inode,
                            const std::vector<NodePtr>& directories) {
    PackedWriter out;
    out.put(magic);
    out.put(version);
    out.put(top_inode);
    std::string path;
    for (std::size_t i = 0; i < directories.size();) {
        const Node* parent = directories[i]->parent().get();
        path.clear();
        parent->append_path(path);
        out.put_string(std::string_view(path).substr(std::min(path.size(), top.size() + 1)));
        out.put(parent->attributes().inode);
        const std::size_t count_at = out.size();
        out.put(std::uint32_t{0});
        std::uint32_t count = 0;
        for (; i < directories.size() && directories[i]->parent().get() == parent; ++i, ++count) {
            encode_directory(*directories[i], out);
        }
        out.replace(count_at, count);
    }
    return out.take();
}

std::vector<NodePtr> decode_frontier(std::string_view bytes, const NodePtr& top) {
    PackedReader in(bytes, "checkpoint: the frontier is torn");
    if (in.get<std::uint32_t>() != magic || in.get<std::uint32_t>() != version) {
        throw std::invalid_argument("checkpoint: this is no frontier of this version");
    }
    if (in.get<std::uint64_t>() != top->attributes().inode) {
        throw std::invalid_argument("checkpoint: " + std::string(top->name()) +
                                    " is another directory than it was");
    }
    std::vector<NodePtr> directories;
    Ancestors ancestors(top);
    while (!in.at_end()) {
        const NodePtr parent = ancestors.at(in.get_string());
        Attributes known = parent->attributes();
        known.inode = in.get<std::uint64_t>();
        parent->set_attributes(known);
        for (auto count = in.get<std::uint32_t>(); count > 0; --count) {
            const std::string_view name = in.get_string();
            directories.push_back(make_child(parent, name, decode_attributes(in)));
            directories.back()->from_earlier_walk = true;
            parent->holds.fetch_add(1);
        }
    }
    return directories;
}

}  // namespace filetree::walk
